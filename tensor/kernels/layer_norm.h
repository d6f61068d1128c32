// Layer normalisation, fast: forward and backward pass over memory once; further passes over a row find it in the first-level
// cache.
#pragma once

#include "tensor/tensor.h"

namespace vitrail::kernels {

// The operation of tensor/ops/norm.h into tensors that exist already; y is of x's dtype, or bf16 for f32 x.
void layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps, Tensor y, Tensor mean, Tensor rstd);
// Creates dweight and dbias if weight is defined.
void layer_norm_backward(const Tensor& dy, const Tensor& x, const Tensor& weight, const Tensor& mean, const Tensor& rstd,
                         Tensor dx, Tensor& dweight, Tensor& dbias);

}  // namespace vitrail::kernels
