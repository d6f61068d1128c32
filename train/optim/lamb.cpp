#include "train/optim/lamb.h"

#include <cmath>

#include "train/optim/adam_update.h"

namespace vitrail {

namespace {

// r of one element. Both passes compute it: reading m and v again costs less than keeping r.
template <class T>
struct Direction {
  T mean_factor, root_factor, eps, decay;

  template <class Chunk>
  Direction(const Chunk& c, const LambOptions& o)
      : mean_factor(static_cast<T>(1 / (1 - std::pow(o.beta1, static_cast<double>(c.step))))),
        root_factor(static_cast<T>(1 / std::sqrt(1 - std::pow(o.beta2, static_cast<double>(c.step))))),
        eps(static_cast<T>(o.eps)),
        decay(static_cast<T>(c.weight_decay)) {}
  T operator()(T m, T v, T p) const { return mean_factor * m / (std::sqrt(v) * root_factor + eps) + decay * p; }
};

// Renews m and v; sums of squares of p and r.
template <class T, class Norms, class Chunk>
Norms measure_lamb(const Chunk& c, const LambOptions& o) {
  const T* __restrict p = c.p;
  const T* __restrict g = c.g;
  T* __restrict m = c.s[0];
  T* __restrict v = c.s[1];
  const T beta1 = static_cast<T>(o.beta1), rest1 = static_cast<T>(1 - o.beta1), beta2 = static_cast<T>(o.beta2);
  const T rest2 = static_cast<T>(1 - o.beta2), scale = static_cast<T>(c.grad_scale);
  const Direction<T> direction(c, o);
  double weights = 0, step = 0;
#pragma omp simd reduction(+ : weights, step)
  for (int64_t i = 0; i < c.n; ++i) {
    const T grad = scale * g[i];
    const T mean = beta1 * m[i] + rest1 * grad;
    const T square = beta2 * v[i] + rest2 * grad * grad;
    m[i] = mean;
    v[i] = square;
    const double weight = static_cast<double>(p[i]), r = static_cast<double>(direction(mean, square, p[i]));
    weights += weight * weight;
    step += r * r;
  }
  return {weights, step};
}

template <class T, class Chunk>
void update_lamb(const Chunk& c, const LambOptions& o) {
  T* __restrict p = c.p;
  const T* __restrict m = c.s[0];
  const T* __restrict v = c.s[1];
  const T rate = static_cast<T>(c.lr * c.trust);
  const Direction<T> direction(c, o);
  for (int64_t i = 0; i < c.n; ++i) p[i] -= rate * direction(m[i], v[i], p[i]);
}

}  // namespace

Lamb::Lamb(std::vector<ParamGroup> groups, const LambOptions& options)
    : Optimizer(std::move(groups), {"exp_avg", "exp_avg_sq"}), options_(options) {
  check_adam_options("lamb", {options.beta1, options.beta2, options.eps});
}

Optimizer::Norms Lamb::measure(const Chunk<float>& c) const { return measure_lamb<float, Norms>(c, options_); }
Optimizer::Norms Lamb::measure(const Chunk<double>& c) const { return measure_lamb<double, Norms>(c, options_); }

double Lamb::trust(const Norms& norms, double /*weight_decay*/) const { return norms.weights / norms.direction; }

void Lamb::update(const Chunk<float>& c) const { update_lamb<float>(c, options_); }
void Lamb::update(const Chunk<double>& c) const { update_lamb<double>(c, options_); }

}  // namespace vitrail
