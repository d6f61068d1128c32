// Softmax and its logarithm over the last axis. For another axis the caller passes a transposed view.
#pragma once

#include "tensor/tensor.h"

namespace vitrail::reference {

void softmax(const Tensor& x, Tensor y);
void softmax_backward(const Tensor& dy, const Tensor& y, Tensor dx);
void log_softmax(const Tensor& x, Tensor y);
void log_softmax_backward(const Tensor& dy, const Tensor& y, Tensor dx);

}  // namespace vitrail::reference
