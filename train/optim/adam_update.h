// The update of Adam and AdamW for a stretch of one parameter; Muon runs it for what is not a hidden matrix.
#pragma once

#include "train/optim/optim.h"

namespace vitrail {

template <class T>
struct AdamStretch {
  T* p;        // weights
  const T* g;  // gradients, to be multiplied by grad_scale
  T *m, *v;    // their running mean and that of their squares
  int64_t n;
  int64_t step;  // updates of this parameter, this one included: 1, 2, ...
  double lr, weight_decay, grad_scale;
};

// Optimizer::Chunk<T> as a stretch.
template <class T, class Chunk>
AdamStretch<T> adam_stretch(const Chunk& c) {
  return {c.p, c.g, c.s[0], c.s[1], c.n, c.step, c.lr, c.weight_decay, c.grad_scale};
}

// decoupled: AdamW. T is float or double.
template <class T>
void adam_update(const AdamStretch<T>& c, const AdamOptions& options, bool decoupled);

// Error(kValue) naming the option that is out of range.
void check_adam_options(const char* op, const AdamOptions& options);

}  // namespace vitrail
