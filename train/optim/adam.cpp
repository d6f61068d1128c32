#include <cmath>

#include "train/optim/optim.h"

namespace vitrail {

namespace {

template <class T, class Chunk>
void adam(const Chunk& c, const AdamOptions& options, bool decoupled) {
  T *p = c.p, *m = c.s[0], *v = c.s[1];
  const T* g = c.g;
  const T beta1 = static_cast<T>(options.beta1), beta2 = static_cast<T>(options.beta2);
  const T rest1 = static_cast<T>(1 - options.beta1), rest2 = static_cast<T>(1 - options.beta2);
  const T scale = static_cast<T>(c.grad_scale), eps = static_cast<T>(options.eps);
  // The bias corrections are the same for all elements: folded into two numbers, in double.
  const double correction1 = 1 - std::pow(options.beta1, static_cast<double>(c.step));
  const double correction2 = 1 - std::pow(options.beta2, static_cast<double>(c.step));
  const T rate = static_cast<T>(c.lr / correction1), root = static_cast<T>(1 / std::sqrt(correction2));
  const T keep = static_cast<T>(decoupled ? 1 - c.lr * c.weight_decay : 1);
  const T decay = static_cast<T>(decoupled ? 0 : c.weight_decay);
#pragma omp simd
  for (int64_t i = 0; i < c.n; ++i) {
    const T grad = scale * g[i] + decay * p[i];
    const T mean = beta1 * m[i] + rest1 * grad;
    const T square = beta2 * v[i] + rest2 * grad * grad;
    m[i] = mean;
    v[i] = square;
    p[i] = keep * p[i] - rate * mean / (std::sqrt(square) * root + eps);
  }
}

}  // namespace

Adam::Adam(std::vector<ParamGroup> groups, const AdamOptions& options, bool decoupled)
    : Optimizer(std::move(groups), {"exp_avg", "exp_avg_sq"}), options_(options), decoupled_(decoupled) {
  const char* op = decoupled ? "adamw" : "adam";
  check(options.beta1 >= 0 && options.beta1 < 1, ErrorKind::kValue, op, "beta1 must be in [0, 1): it is ", options.beta1, ".");
  check(options.beta2 >= 0 && options.beta2 < 1, ErrorKind::kValue, op, "beta2 must be in [0, 1): it is ", options.beta2, ".");
  check(options.eps > 0 && std::isfinite(options.eps), ErrorKind::kValue, op, "eps must be above 0: it is ", options.eps, ".");
}

void Adam::update(const Chunk<float>& c) const { adam<float>(c, options_, decoupled_); }
void Adam::update(const Chunk<double>& c) const { adam<double>(c, options_, decoupled_); }

}  // namespace vitrail
