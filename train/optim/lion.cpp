#include "train/optim/optim.h"

namespace vitrail {

namespace {

template <class T, class Chunk>
void lion(const Chunk& c, const LionOptions& options) {
  T *p = c.p, *m = c.s[0];
  const T* g = c.g;
  const T beta1 = static_cast<T>(options.beta1), beta2 = static_cast<T>(options.beta2);
  const T rest1 = static_cast<T>(1 - options.beta1), rest2 = static_cast<T>(1 - options.beta2);
  const T lr = static_cast<T>(c.lr), scale = static_cast<T>(c.grad_scale);
  const T keep = static_cast<T>(1 - c.lr * c.weight_decay);
#pragma omp simd
  for (int64_t i = 0; i < c.n; ++i) {
    const T grad = scale * g[i];
    const T direction = beta1 * m[i] + rest1 * grad;
    const T sign = static_cast<T>(direction > 0) - static_cast<T>(direction < 0);
    p[i] = keep * p[i] - lr * sign;
    m[i] = beta2 * m[i] + rest2 * grad;
  }
}

}  // namespace

Lion::Lion(std::vector<ParamGroup> groups, const LionOptions& options)
    : Optimizer(std::move(groups), {"exp_avg"}), options_(options) {
  check(options.beta1 >= 0 && options.beta1 < 1, ErrorKind::kValue, "lion", "beta1 must be in [0, 1): it is ", options.beta1,
        ".");
  check(options.beta2 >= 0 && options.beta2 < 1, ErrorKind::kValue, "lion", "beta2 must be in [0, 1): it is ", options.beta2,
        ".");
}

void Lion::update(const Chunk<float>& c) const { lion<float>(c, options_); }
void Lion::update(const Chunk<double>& c) const { lion<double>(c, options_); }

}  // namespace vitrail
