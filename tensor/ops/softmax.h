// Softmax and its logarithm along any axis, shifted by the maximum so that no finite input overflows.
// Errors: Error(kShape) for an axis out of range, or gradients whose shape differs; Error(kValue) for a dtype that is not
// float.
#pragma once

#include "tensor/tensor.h"

namespace vitrail {

// e^(x - max) / sum e^(x - max). A row of -inf only gives zeros (a fully masked row attends to nothing).
Tensor softmax(const Tensor& x, int axis = -1);
// x - max - log sum e^(x - max). A finite x gives a finite result (at least the lowest finite number); a row of -inf only gives
// -inf.
Tensor log_softmax(const Tensor& x, int axis = -1);
// dx = y (dy - sum(dy y)), y = softmax(x)
Tensor softmax_backward(const Tensor& dy, const Tensor& y, int axis = -1);
// dx = dy - e^y sum(dy), y = log_softmax(x)
Tensor log_softmax_backward(const Tensor& dy, const Tensor& y, int axis = -1);

}  // namespace vitrail
