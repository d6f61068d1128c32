// The classification loss, fast: rows are distributed among threads, and exponentials are computed in double.
#pragma once

#include "tensor/ops/loss_input.h"

namespace vitrail::kernels {

// The formulas of tensor/reference/loss.h over contiguous x, target and weights. `losses`, `log_sums` and `dx` must hold zeros,
// since ignored rows are not written.
void class_loss(const ClassLossInput& in, Tensor losses, Tensor log_sums);
// log_sums: as class_loss left them; scales f64 [rows].
void class_loss_backward(const ClassLossInput& in, const Tensor& log_sums, const Tensor& scales, Tensor dx);

}  // namespace vitrail::kernels
