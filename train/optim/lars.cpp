#include "train/optim/lars.h"

#include <cmath>

namespace vitrail {

namespace {

// Without momentum there is nothing to remember.
std::vector<std::string> states(const LarsOptions& options) {
  return options.momentum != 0 ? std::vector<std::string>{"momentum_buffer"} : std::vector<std::string>{};
}

// Sums of squares of p and g.
template <class T, class Norms, class Chunk>
Norms measure_lars(const Chunk& c) {
  const T* p = c.p;
  const T* g = c.g;
  double weights = 0, gradients = 0;
#pragma omp simd reduction(+ : weights, gradients)
  for (int64_t i = 0; i < c.n; ++i) {
    const double weight = static_cast<double>(p[i]), gradient = static_cast<double>(g[i]);
    weights += weight * weight;
    gradients += gradient * gradient;
  }
  return {weights, c.grad_scale * c.grad_scale * gradients};
}

template <class T, class Chunk>
void update_lars(const Chunk& c, const LarsOptions& o) {
  T* __restrict p = c.p;
  const T* __restrict g = c.g;
  const T lr = static_cast<T>(c.lr), scale = static_cast<T>(c.trust * c.grad_scale);
  const T decay = static_cast<T>(c.trust * c.weight_decay), momentum = static_cast<T>(o.momentum);
  if (o.momentum == 0) {
    for (int64_t i = 0; i < c.n; ++i) p[i] -= lr * (scale * g[i] + decay * p[i]);
    return;
  }
  T* __restrict b = c.s[0];
  for (int64_t i = 0; i < c.n; ++i) {
    const T velocity = momentum * b[i] + (scale * g[i] + decay * p[i]);
    b[i] = velocity;
    p[i] -= lr * velocity;
  }
}

}  // namespace

Lars::Lars(std::vector<ParamGroup> groups, const LarsOptions& options)
    : Optimizer(std::move(groups), states(options)), options_(options) {
  check(options.momentum >= 0 && options.momentum < 1, ErrorKind::kValue, "lars", "momentum must be in [0, 1): it is ",
        options.momentum, ".");
  check(options.trust_coefficient > 0 && std::isfinite(options.trust_coefficient), ErrorKind::kValue, "lars",
        "trust_coefficient must be above 0: it is ", options.trust_coefficient, ".");
}

Optimizer::Norms Lars::measure(const Chunk<float>& c) const { return measure_lars<float, Norms>(c); }
Optimizer::Norms Lars::measure(const Chunk<double>& c) const { return measure_lars<double, Norms>(c); }

double Lars::trust(const Norms& norms, double weight_decay) const {
  return options_.trust_coefficient * norms.weights / (norms.direction + weight_decay * norms.weights);
}

void Lars::update(const Chunk<float>& c) const { update_lars<float>(c, options_); }
void Lars::update(const Chunk<double>& c) const { update_lars<double>(c, options_); }

}  // namespace vitrail
