// Two-dimensional convolution and its gradients, pixel by pixel. x [B, C, H, W], weight [O, C / groups, P, Q], bias [O] or
// undefined, y [B, O, H', W'] (tensor/ops/conv.h has the formula and the output sizes).
#pragma once

#include "tensor/ops/conv.h"

namespace vitrail::reference {

void conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias, const Conv2dOptions& options, Tensor y);
void conv2d_backward_input(const Tensor& dy, const Tensor& weight, const Conv2dOptions& options, Tensor dx);
void conv2d_backward_weight(const Tensor& dy, const Tensor& x, const Conv2dOptions& options, Tensor dweight);
void conv2d_backward_bias(const Tensor& dy, Tensor db);

}  // namespace vitrail::reference
