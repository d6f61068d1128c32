// Reading and writing elements by index, and rearranging them. Indices are i64; negative ones count from the end in
// index_select, gather, scatter_add and index_add, and are refused in embedding and one_hot; one out of range throws
// Error(kValue) that names index and extent. All functions exist for every dtype. Results are new tensors, except for split and
// chunk (views).
#pragma once

#include <vector>

#include "tensor/tensor.h"

namespace vitrail {

// ---- by index ----

// Slices of x at the given positions of one axis: index of any shape S -> x.shape with the axis replaced by S.
Tensor index_select(const Tensor& x, int axis, const Tensor& index);
// out[..., i, ...] = x[..., index[..., i, ...], ...]: index has x's rank; on the other axes its extents are at most those of x.
Tensor gather(const Tensor& x, int axis, const Tensor& index);
// Copy of x with src added at index: out[..., index[..., i, ...], ...] += src[..., i, ...]. Repeated indices add up in order.
// src has index's shape and x's dtype.
Tensor scatter_add(const Tensor& x, int axis, const Tensor& index, const Tensor& src);
// The transpose of index_select: dy summed into zeros of x_shape at the given positions.
Tensor index_add(const Shape& x_shape, int axis, const Tensor& index, const Tensor& dy);
// Rows of weight [V, D] -> index.shape + [D].
Tensor embedding(const Tensor& weight, const Tensor& index);
// index.shape + [classes]: 1 at the index, else 0. Error(kValue) for an index outside [0, classes).
Tensor one_hot(const Tensor& index, int64_t classes, Dtype dtype = Dtype::f32);

// ---- arranging ----

Tensor concat(const std::vector<Tensor>& parts, int axis);  // equal dtypes, equal extents on the other axes; at least one part
Tensor stack(const std::vector<Tensor>& parts, int axis);   // equal shapes, along a new axis
// Views of the given lengths along an axis; they must add up to its extent.
std::vector<Tensor> split(const Tensor& x, const std::vector<int64_t>& lengths, int axis);
// Views of `count` nearly equal parts (the first ones one longer, as NumPy's array_split).
// Error(kValue) unless 1 <= count <= max(extent, 1).
std::vector<Tensor> chunk(const Tensor& x, int64_t count, int axis);

enum class PadMode { kConstant, kReflect, kEdge };
// before[i], after[i] elements added on both sides of axis i (one entry per axis of x; negative numbers crop, for kConstant
// only). kReflect mirrors without repeating the border, by at most extent - 1; kEdge repeats the border. Error(kShape) for a
// result with a negative or too large extent, before any memory is allocated.
Tensor pad(const Tensor& x, const std::vector<int64_t>& before, const std::vector<int64_t>& after,
           PadMode mode = PadMode::kConstant, double value = 0);
// The same (kConstant) with `value` as a one-element tensor of x's dtype: exact for integers that a double cannot hold.
Tensor pad(const Tensor& x, const std::vector<int64_t>& before, const std::vector<int64_t>& after, const Tensor& value);
Tensor tile(const Tensor& x, const std::vector<int64_t>& repeats);  // one entry per axis
Tensor flip(const Tensor& x, const std::vector<int>& axes);
// Element i moves to (i + shift) mod extent, for any shift; a scalar stays as it is. Error(kShape) for an
// axis out of range.
Tensor roll(const Tensor& x, int64_t shift, int axis);
// Keep on and below (above) the k-th diagonal of the last two axes, zeros elsewhere.
Tensor tril(const Tensor& x, int64_t k = 0);
Tensor triu(const Tensor& x, int64_t k = 0);

}  // namespace vitrail
