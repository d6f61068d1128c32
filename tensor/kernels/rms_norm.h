// RMS normalisation, fast.
#pragma once

#include "tensor/tensor.h"

namespace vitrail::kernels {

// The operation of tensor/ops/norm.h into tensors that exist already.
void rms_norm(const Tensor& x, const Tensor& weight, double eps, Tensor y, Tensor rrms);
// Creates dweight and dbias if weight is defined.
void rms_norm_backward(const Tensor& dy, const Tensor& x, const Tensor& weight, const Tensor& rrms, Tensor dx, Tensor& dweight,
                       Tensor& dbias);

}  // namespace vitrail::kernels
