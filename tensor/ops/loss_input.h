// The input of both forms of the classification loss: the kernel and its plain twin.
#pragma once

#include "tensor/tensor.h"

namespace vitrail {

// Rows of logits, or of log-probabilities, with their targets. x is [..., C], with its class axis moved to the end by a view;
// target is one i64 a row, or of x's shape and dtype (soft).
struct ClassLossInput {
  Tensor x, target;
  Tensor class_weights;  // f64 [C] or undefined: 1
  double label_smoothing;
  int64_t ignore_index;
  bool log_probabilities;
};

}  // namespace vitrail
