// Softmax and its logarithm over the last axis. Another axis is brought there by a transposed view before.
#pragma once

#include "tensor/tensor.h"

namespace vitrail::reference {

void softmax(const Tensor& x, Tensor y);
void softmax_backward(const Tensor& dy, const Tensor& y, Tensor dx);
void log_softmax(const Tensor& x, Tensor y);
void log_softmax_backward(const Tensor& dy, const Tensor& y, Tensor dx);

}  // namespace vitrail::reference
