// GELU and its derivative, fast: one pass for each. The exact form uses one exponential for both Phi(x) and its density.
#pragma once

#include "tensor/ops/elementwise.h"

namespace vitrail::kernels {

// All tensors contiguous, of one shape and float dtype (tensor/ops/elementwise.h has the formulas).
void gelu(const Tensor& x, Gelu kind, Tensor y);
void gelu_backward(const Tensor& dy, const Tensor& x, Gelu kind, Tensor dx);
// y = gelu(x), exact, and slope = gelu'(x).
void gelu_with_slope(const Tensor& x, Tensor y, Tensor slope);

}  // namespace vitrail::kernels
