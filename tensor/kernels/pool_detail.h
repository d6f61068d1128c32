// Sizes and checks of the pooling kernels.
#pragma once

#include <algorithm>

#include "tensor/machine/parallel.h"
#include "tensor/ops/pool.h"

namespace vitrail::detail {

struct PoolGeometry {
  int64_t planes, height, width, out_h, out_w;  // planes = B C

  int64_t plane() const { return height * width; }
  int64_t out_plane() const { return out_h * out_w; }
  int64_t grain() const { return std::max<int64_t>(1, kElementwiseGrain / std::max<int64_t>(plane(), 1)); }
};

// Checks the options against x and computes the sizes (see pool.h).
PoolGeometry pool_geometry(const char* op, const Shape& x, const Pool2dOptions& options);
// Throws unless dy is [B, C, out_h, out_w].
void check_pool_gradient(const char* op, const Shape& dy, const Shape& x, const PoolGeometry& g);

// The part [begin, end) of one axis that a window covers, and its length with padding.
struct Window {
  int64_t begin, end, padded;
};
inline Window pool_window(int64_t i, int64_t extent, int64_t kernel, int64_t stride, int64_t padding) {
  const int64_t start = i * stride - padding, stop = std::min(start + kernel, extent + padding);
  return {std::max<int64_t>(start, 0), std::min(stop, extent), stop - start};
}
// Cell i of `cells` over an axis: floor(i extent / cells) to ceil((i + 1) extent / cells).
inline Window adaptive_window(int64_t i, int64_t extent, int64_t cells) {
  const int64_t begin = i * extent / cells, end = ((i + 1) * extent + cells - 1) / cells;
  return {begin, end, end - begin};
}

}  // namespace vitrail::detail
