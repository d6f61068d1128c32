// The update of Adam and AdamW for a stretch of one parameter; Muon runs it for what is not a hidden matrix.
#pragma once

#include <cmath>

#include "train/optim/optim.h"

namespace vitrail {

// decoupled: AdamW. Chunk is Optimizer::Chunk<T>.
template <class T, class Chunk>
void adam_update(const Chunk& c, const AdamOptions& options, bool decoupled) {
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

// Error(kValue) naming the option that is out of range.
void check_adam_options(const char* op, const AdamOptions& options);

}  // namespace vitrail
