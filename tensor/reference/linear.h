// The linear layer and its three gradients. x [..., K] and dy [..., N] are matrices of M rows: all axes but the last are rows.
// x and dy may be stored in bf16 instead of f32. `rounded`: the two factors of each product are rounded to bf16 first, as
// products of Precision::kBf16 do; the sums are not.
#pragma once

#include "tensor/tensor.h"

namespace vitrail::reference {

// y = x W^T + b: weight [N, K], bias [N] or undefined, y [..., N].
void linear(const Tensor& x, const Tensor& weight, const Tensor& bias, Tensor y, bool rounded);
// dx = dy W
void linear_backward_input(const Tensor& dy, const Tensor& weight, Tensor dx, bool rounded);
// dw = dy^T x, or dw += dy^T x
void linear_backward_weight(const Tensor& dy, const Tensor& x, Tensor dw, bool accumulate, bool rounded);
// db = sum of dy over its rows
void linear_backward_bias(const Tensor& dy, Tensor db);

}  // namespace vitrail::reference
