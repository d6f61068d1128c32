// Two-dimensional convolution (cross-correlation, as everywhere in this field) and its gradients.
#pragma once

#include "tensor/tensor.h"

namespace vitrail {

struct Conv2dOptions {
  int64_t stride_h = 1, stride_w = 1;
  int64_t padding_h = 0, padding_w = 0;  // zeros on both sides
  int64_t dilation_h = 1, dilation_w = 1;
  int64_t groups = 1;
};

// y[b, o, i, j] = bias[o] + sum_{c, p, q} w[o, c, p, q] x[b, c', i stride + p dilation - padding, ...]
// x [B, C, H, W], weight [O, C / groups, P, Q], bias [O] or undefined -> [B, O, H', W'],
// H' = (H + 2 padding - dilation (P - 1) - 1) / stride + 1. Errors: Error(kShape) with the numbers; Error(kValue) for
// options < 1 (padding < 0) or groups that do not divide C and O.
Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias, const Conv2dOptions& options = {});
// The gradients, for dy [B, O, H', W'], the gradient of y:
//   dx[b, c, r, s] = sum of w[o, c, p, q] dy[b, o, i, j] over the outputs (o, i, j) that read x[b, c, r, s] through tap (p, q)
//   dw[o, c, p, q] = sum_{b, i, j} dy[b, o, i, j] x[b, c', i stride + p dilation - padding, ...]
//   db[o] = sum_{b, i, j} dy[b, o, i, j]
// Errors: as above, and Error(kShape) if dy does not have the shape of the output.
Tensor conv2d_backward_input(const Tensor& dy, const Tensor& weight, const Shape& x_shape, const Conv2dOptions& options);
Tensor conv2d_backward_weight(const Tensor& dy, const Tensor& x, const Shape& weight_shape, const Conv2dOptions& options);
Tensor conv2d_backward_bias(const Tensor& dy);  // [B, O, H', W'] -> [O]

}  // namespace vitrail
