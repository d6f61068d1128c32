// Pooling over the last two axes of [B, C, H, W], window by window (tensor/ops/pool.h has sizes and rules).
#pragma once

#include "tensor/ops/pool.h"

namespace vitrail::reference {

void max_pool2d(const Tensor& x, const Pool2dOptions& options, Tensor y, Tensor indices);
void max_pool2d_backward(const Tensor& dy, const Tensor& indices, Tensor dx);
void avg_pool2d(const Tensor& x, const Pool2dOptions& options, Tensor y);
void avg_pool2d_backward(const Tensor& dy, const Pool2dOptions& options, Tensor dx);
void adaptive_avg_pool2d(const Tensor& x, Tensor y);
void adaptive_avg_pool2d_backward(const Tensor& dy, Tensor dx);

}  // namespace vitrail::reference
