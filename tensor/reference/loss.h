// The classification loss (tensor/ops/loss.h: cross_entropy and nll_loss) over rows of C numbers, one row at a time.
#pragma once

#include "tensor/tensor.h"

namespace vitrail::reference {

// Rows of logits, or of log-probabilities, with their targets. x is [..., C], its class axis brought to the end by a view;
// target is one i64 a row, or of x's shape and dtype (soft).
struct ClassLossInput {
  Tensor x, target;
  Tensor class_weights;  // f64 [C] or undefined: 1
  double label_smoothing;
  int64_t ignore_index;
  bool log_probabilities;
};

// losses [rows] f64: sum_c w_c t'_c (log sum_k e^x_k - x_c), without the logarithm for log-probabilities; 0 for ignored rows.
// log_sums [rows, 2] f64: max x and log sum_c e^(x_c - max x).
void class_loss(const ClassLossInput& in, Tensor losses, Tensor log_sums);
// dx [..., C] = scale_r (w' softmax(x)_c - w_c t'_c), w' = sum_k w_k t'_k; scales is f64, one a row.
void class_loss_backward(const ClassLossInput& in, const Tensor& scales, Tensor dx);

}  // namespace vitrail::reference
