#include <cmath>

#include "train/optim/optim.h"

namespace vitrail {

namespace {

template <class T, class Chunk>
void rmsprop(const Chunk& c, const RmspropOptions& options) {
  T *p = c.p, *v = c.s[0], *b = c.s[1];
  const T* g = c.g;
  const T alpha = static_cast<T>(options.alpha), rest = static_cast<T>(1 - options.alpha);
  const T eps = static_cast<T>(options.eps), momentum = static_cast<T>(options.momentum);
  const T lr = static_cast<T>(c.lr), decay = static_cast<T>(c.weight_decay), scale = static_cast<T>(c.grad_scale);
#pragma omp simd
  for (int64_t i = 0; i < c.n; ++i) {
    const T grad = scale * g[i] + decay * p[i];
    const T square = alpha * v[i] + rest * grad * grad;
    const T velocity = momentum * b[i] + grad / (std::sqrt(square) + eps);
    v[i] = square;
    b[i] = velocity;
    p[i] -= lr * velocity;
  }
}

}  // namespace

Rmsprop::Rmsprop(std::vector<ParamGroup> groups, const RmspropOptions& options)
    : Optimizer(std::move(groups), {"square_avg", "momentum_buffer"}), options_(options) {
  check(options.alpha >= 0 && options.alpha < 1, ErrorKind::kValue, "rmsprop", "alpha must be in [0, 1): it is ", options.alpha,
        ".");
  check(options.momentum >= 0 && options.momentum < 1, ErrorKind::kValue, "rmsprop", "momentum must be in [0, 1): it is ",
        options.momentum, ".");
  check(options.eps > 0 && std::isfinite(options.eps), ErrorKind::kValue, "rmsprop", "eps must be above 0: it is ", options.eps,
        ".");
}

void Rmsprop::update(const Chunk<float>& c) const { rmsprop<float>(c, options_); }
void Rmsprop::update(const Chunk<double>& c) const { rmsprop<double>(c, options_); }

}  // namespace vitrail
