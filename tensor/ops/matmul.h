// Matrix products over the last two axes. Strides of any kind are used as they are: a transposed view costs no copy.
#pragma once

#include "tensor/tensor.h"

namespace vitrail {

// [..., M, K] x [..., K, N] -> [..., M, N]; batch axes broadcast. Rank 1 operands are rows (a) or columns (b), and their
// axis disappears from the result, as in NumPy. Errors: Error(kShape) with both shapes; Error(kValue) if dtypes differ.
Tensor matmul(const Tensor& a, const Tensor& b);

// y = x W^T + b: x [..., K], weight [N, K], bias [N] or undefined -> [..., N]. One product over all leading axes.
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias = {});
// dx = dy W: dy [..., N], weight [N, K] -> [..., K]
Tensor linear_backward_input(const Tensor& dy, const Tensor& weight);
// dW = dy^T x, summed over all leading axes: dy [..., N], x [..., K] -> [N, K]
Tensor linear_backward_weight(const Tensor& dy, const Tensor& x);
// db = sum of dy over all leading axes: dy [..., N] -> [N]
Tensor linear_backward_bias(const Tensor& dy);

}  // namespace vitrail
