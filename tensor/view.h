// Views: other shapes and strides over the same memory. None of these functions copies an element, except reshape where
// no strides can express the result.
#pragma once

#include <vector>

#include "tensor/tensor.h"

namespace vitrail {

// The same elements in row-major order under another shape. One extent may be -1 (inferred). A view where strides allow
// it, else a copy. Error(kShape) with both shapes if the element counts differ.
Tensor reshape(const Tensor& x, const Shape& shape);
// Finds strides under which memory laid out as (shape, strides) has the shape new_shape. False if that needs a copy.
bool view_strides(const Shape& shape, const Shape& strides, const Shape& new_shape, Shape* result);
// All axes from start to end (both included) as one. flatten(x) gives rank 1.
Tensor flatten(const Tensor& x, int start = 0, int end = -1);
// Two axes exchanged.
Tensor transpose(const Tensor& x, int a = -2, int b = -1);
// Axis i of the result is axis axes[i] of x; axes must be a permutation, else Error(kShape).
Tensor permute(const Tensor& x, const std::vector<int>& axes);
// x[start:end:step] along one axis, Python rules: negatives count from the end, the range is clipped to the extent.
// step >= 1, else Error(kValue).
Tensor slice(const Tensor& x, int axis, int64_t start, int64_t end, int64_t step = 1);
// The sub-tensor at one index of an axis; the axis disappears. Error(kShape) if out of range.
Tensor select(const Tensor& x, int axis, int64_t index);
// Extents of one repeated with stride 0; new axes may be added in front. -1 keeps an extent. Error(kShape) otherwise.
Tensor expand(const Tensor& x, const Shape& shape);
// A new axis of extent one at `axis` (in [-rank-1, rank]).
Tensor unsqueeze(const Tensor& x, int axis);
// Removes an axis of extent one; any other extent throws Error(kShape).
Tensor squeeze(const Tensor& x, int axis);
// Removes every axis of extent one.
Tensor squeeze(const Tensor& x);
// Windows of one axis, `step` apart, which overlap if step < size: [..., L, ...] -> [..., (L - size) / step + 1, ..., size].
Tensor unfold(const Tensor& x, int axis, int64_t size, int64_t step);

}  // namespace vitrail
