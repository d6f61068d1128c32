// A contiguous tensor seen from one axis: [outer, extent, inner]. Shared by the operations that read or write elements by index
// along an axis.
#pragma once

#include <vector>

#include "tensor/tensor.h"

namespace vitrail {

struct AxisBlocks {
  int64_t outer = 1, extent = 1, inner = 1;  // products of the extents before, at and after the axis
};

// `axis` is normalised. Rank 0 counts as one axis of extent one.
AxisBlocks axis_blocks(const Shape& shape, int axis, const char* op);

// `shape` with `axis` (normalised) replaced by the extents of `replacement`.
Shape replace_axis(const Shape& shape, int axis, const Shape& replacement);

// The indices in row-major order, each in [0, extent). Negative ones count from the end if from_end, else they are refused.
// Error(kValue) that names op, the first bad index and the extent; also if the indices are not i64.
std::vector<int64_t> resolve_indices(const Tensor& index, int64_t extent, bool from_end, const char* op);

}  // namespace vitrail
