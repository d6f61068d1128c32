// Pooling over the last two axes of [B, C, H, W]. Output height (ONNX, PyTorch): with m = dilation (kernel - 1) + 1,
// H' = floor((H + 2 padding - m) / stride) + 1. With ceil_mode it is ceil(...) + 1, without a last window that would start
// after the input and its left padding; so a single window may be larger than the padded input. Error(kShape) where H' < 1: the
// kernel is larger than the padded input (with ceil_mode: by a stride or more). Error(kValue) for kernels, strides or dilations
// < 1, padding outside [0, kernel / 2], and dilation in an average. B = 0 and C = 0 are legal.
#pragma once

#include <utility>

#include "tensor/tensor.h"

namespace vitrail {

struct Pool2dOptions {
  int64_t kernel_h = 2, kernel_w = 2;
  int64_t stride_h = 2, stride_w = 2;
  int64_t padding_h = 0, padding_w = 0;    // at most half the kernel
  int64_t dilation_h = 1, dilation_w = 1;  // max_pool2d only
  bool ceil_mode = false;                  // keep a last window that starts inside the (left-padded) input but ends beyond it
  bool count_include_pad = true;           // avg_pool2d: divide by the kernel's size, padding included
};

// {y [B, C, H', W'], i64 indices [B, C, H', W']}: the maximum of each window and its flat index into H * W. Padding counts as
// -inf. Of equal maxima the first is taken, NaN is larger than any number, and a window that covers only padding (possible with
// dilation) gives {-inf, -1}.
std::pair<Tensor, Tensor> max_pool2d_forward(const Tensor& x, const Pool2dOptions& options);
// dx [x_shape]: dy added up at the indices, zero elsewhere; -1 adds nothing. Error(kValue) for an index outside [-1, H W).
Tensor max_pool2d_backward(const Tensor& dy, const Tensor& indices, const Shape& x_shape);
// y = the sum of x over each window, divided by the kernel's size, or without count_include_pad by the number of input pixels
// in the window. The part of a ceil_mode window beyond the padding is not counted. dx adds up dy / divisor over the windows
// that hold x.
Tensor avg_pool2d(const Tensor& x, const Pool2dOptions& options);
Tensor avg_pool2d_backward(const Tensor& dy, const Shape& x_shape, const Pool2dOptions& options);
// Cell i averages rows floor(i H / out_h) to ceil((i + 1) H / out_h), and so for columns.
Tensor adaptive_avg_pool2d(const Tensor& x, int64_t out_h, int64_t out_w);
Tensor adaptive_avg_pool2d_backward(const Tensor& dy, const Shape& x_shape);

}  // namespace vitrail
