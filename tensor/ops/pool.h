// Pooling over the last two axes of [B, C, H, W].
#pragma once

#include <utility>

#include "tensor/tensor.h"

namespace vitrail {

struct Pool2dOptions {
  int64_t kernel_h = 2, kernel_w = 2;
  int64_t stride_h = 2, stride_w = 2;
  int64_t padding_h = 0, padding_w = 0;  // at most half the kernel
  int64_t dilation_h = 1, dilation_w = 1;  // max_pool2d only
  bool ceil_mode = false;          // a last window that starts inside the (left-padded) input counts, even if it runs over
  bool count_include_pad = true;   // avg_pool2d: divide by the kernel's size, padding included
};

// {maxima, i64 flat index into H * W of each maximum}; padding counts as -inf.
std::pair<Tensor, Tensor> max_pool2d_forward(const Tensor& x, const Pool2dOptions& options);
Tensor max_pool2d_backward(const Tensor& dy, const Tensor& indices, const Shape& x_shape);
Tensor avg_pool2d(const Tensor& x, const Pool2dOptions& options);
Tensor avg_pool2d_backward(const Tensor& dy, const Shape& x_shape, const Pool2dOptions& options);
// Cell i averages rows floor(i H / out_h) to ceil((i + 1) H / out_h), and so for columns.
Tensor adaptive_avg_pool2d(const Tensor& x, int64_t out_h, int64_t out_w);
Tensor adaptive_avg_pool2d_backward(const Tensor& dy, const Shape& x_shape);

}  // namespace vitrail
