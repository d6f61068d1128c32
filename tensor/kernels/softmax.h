// Softmax and its logarithm over the last axis, fast: rows are distributed among threads, and each row is computed in vectors.
#pragma once

#include "tensor/tensor.h"

namespace vitrail::kernels {

// All tensors contiguous, of one shape and float dtype (tensor/ops/softmax.h has the formulas).
void softmax(const Tensor& x, Tensor y);
void log_softmax(const Tensor& x, Tensor y);
void softmax_backward(const Tensor& dy, const Tensor& y, Tensor dx);
void log_softmax_backward(const Tensor& dy, const Tensor& y, Tensor dx);

}  // namespace vitrail::kernels
