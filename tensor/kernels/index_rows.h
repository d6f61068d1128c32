// Picking and placing elements by index, fast: whole rows at a time. Two sources with one target meet in index order on one
// thread, so the sum has the same bits for any number of threads. T is any dtype's type.
#pragma once

#include <vector>

#include "tensor/kernels/axis_blocks.h"

namespace vitrail::detail {

// out[o, i, :] = x[o, index[i], :] for contiguous x [outer, extent, inner].
template <class T>
void select_blocks(const T* x, const std::vector<int64_t>& index, const AxisBlocks& b, T* out);
// out [shape]: each element is x's at the same place, but for the axis, where it is at places[element]. The numbers of elements
// are not zero.
template <class T>
void gather_rows(const Tensor& x, int axis, const Shape& shape, const std::vector<int64_t>& places, T* out);
// out[..., places[..., i, ...], ...] += src[..., i, ...]; src is contiguous with `shape`, out contiguous with the strides of
// `target`.
template <class T>
void scatter_rows(const T* src, const std::vector<int64_t>& places, const Shape& shape, int axis, const Tensor& target, T* out);
// out[o, index[i], :] += dy[o, i, :].
template <class T>
void add_blocks(const T* dy, const std::vector<int64_t>& index, const AxisBlocks& b, T* out);

}  // namespace vitrail::detail
