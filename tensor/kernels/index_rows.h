// Reading and adding elements by index, fast: whole rows at a time. Sources with the same target are added in index order by
// one thread, so the sum has the same bits for any number of threads. T is the element type of any dtype.
#pragma once

#include <vector>

#include "tensor/kernels/axis_blocks.h"

namespace vitrail::detail {

// out[o, i, :] = x[o, index[i], :] for contiguous x [outer, extent, inner].
template <class T>
void select_blocks(const T* x, const std::vector<int64_t>& index, const AxisBlocks& b, T* out);
// out [shape]: out[..., i, ...] = x[..., places[..., i, ...], ...]. Neither tensor may be empty.
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
