// The classification loss (tensor/ops/loss.h: cross_entropy and nll_loss) over rows of C numbers, one row at a time.
#pragma once

#include "tensor/ops/loss_input.h"

namespace vitrail::reference {

// losses [rows] f64: sum_c w_c t'_c (log sum_k e^x_k - x_c), without the logarithm for log-probabilities; 0 for ignored rows.
// log_sums [rows, 2] f64: max x and log sum_c e^(x_c - max x).
void class_loss(const ClassLossInput& in, Tensor losses, Tensor log_sums);
// dx [..., C] = scale_r (w' softmax(x)_c - w_c t'_c), w' = sum_k w_k t'_k, for log-probabilities -scale_r w_c t'_c; scales is
// f64, one a row.
void class_loss_backward(const ClassLossInput& in, const Tensor& scales, Tensor dx);

}  // namespace vitrail::reference
