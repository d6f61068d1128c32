// Argument checks of all normalisations. They throw Error(kShape) or Error(kValue) that names op.
#pragma once

#include "tensor/ops/norm.h"

namespace vitrail::detail {

// The shape of the row statistics. Throws for rank 0.
Shape without_last_axis(const char* op, const Tensor& x);
// The number of elements of one (image, channel) of x [B, C, ...]. Throws below rank 2.
int64_t channel_plane(const char* op, const Tensor& x);
// Throws unless weight and bias (where defined) are [extent] and of x's dtype, and eps is a number >= 0.
void check_norm_arguments(const char* op, const Tensor& x, const Tensor& weight, const Tensor& bias, int64_t extent,
                          double eps);
// Throws unless dy has the shape and dtype of x, and the statistics (name, tensor) are f64 of shape `shape`.
void check_norm_backward(const char* op, const Tensor& dy, const Tensor& x, const Tensor& statistic, const char* name,
                         const Shape& shape);

}  // namespace vitrail::detail
