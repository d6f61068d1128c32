#include "train/optim/adam_update.h"

#include <cmath>

namespace vitrail {

template <class T>
void adam_update(const AdamStretch<T>& c, const AdamOptions& options, bool decoupled) {
  T* __restrict p = c.p, * __restrict m = c.m, * __restrict v = c.v;
  const T* __restrict g = c.g;
  const T beta1 = static_cast<T>(options.beta1), beta2 = static_cast<T>(options.beta2);
  const T rest1 = static_cast<T>(1 - options.beta1), rest2 = static_cast<T>(1 - options.beta2);
  const T scale = static_cast<T>(c.grad_scale), eps = static_cast<T>(options.eps);
  // LAB 5.2 BEGIN  mean m, square v and weight p of all c.n elements after update number c.step (1 at first)
  // The bias corrections are the same for all elements: folded into two numbers, in double.
  const double correction1 = 1 - std::pow(options.beta1, static_cast<double>(c.step));
  const double correction2 = 1 - std::pow(options.beta2, static_cast<double>(c.step));
  const T rate = static_cast<T>(c.lr / correction1), root = static_cast<T>(1 / std::sqrt(correction2));
  const T keep = static_cast<T>(decoupled ? 1 - c.lr * c.weight_decay : 1);
  const T decay = static_cast<T>(decoupled ? 0 : c.weight_decay);
  for (int64_t i = 0; i < c.n; ++i) {
    const T grad = scale * g[i] + decay * p[i];
    const T mean = beta1 * m[i] + rest1 * grad;
    const T square = beta2 * v[i] + rest2 * grad * grad;
    m[i] = mean;
    v[i] = square;
    p[i] = keep * p[i] - rate * mean / (std::sqrt(square) * root + eps);
  }
  // LAB 5.2 END
}
template void adam_update(const AdamStretch<float>&, const AdamOptions&, bool);
template void adam_update(const AdamStretch<double>&, const AdamOptions&, bool);

void check_adam_options(const char* op, const AdamOptions& options) {
  check(options.beta1 >= 0 && options.beta1 < 1, ErrorKind::kValue, op, "beta1 must be in [0, 1): it is ", options.beta1, ".");
  check(options.beta2 >= 0 && options.beta2 < 1, ErrorKind::kValue, op, "beta2 must be in [0, 1): it is ", options.beta2, ".");
  check(options.eps > 0 && std::isfinite(options.eps), ErrorKind::kValue, op, "eps must be above 0: it is ", options.eps, ".");
}

Adam::Adam(std::vector<ParamGroup> groups, const AdamOptions& options, bool decoupled)
    : Optimizer(std::move(groups), {"exp_avg", "exp_avg_sq"}), options_(options), decoupled_(decoupled) {
  check_adam_options(decoupled ? "adamw" : "adam", options);
}

void Adam::update(const Chunk<float>& c) const { adam_update(adam_stretch<float>(c), options_, decoupled_); }
void Adam::update(const Chunk<double>& c) const { adam_update(adam_stretch<double>(c), options_, decoupled_); }

}  // namespace vitrail
