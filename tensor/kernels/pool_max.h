// Maximum pooling and its gradient, fast. One plane is one thread's.
#pragma once

#include "tensor/kernels/pool_detail.h"

namespace vitrail::detail {

// y and index [planes, out_h, out_w]; index: the place of the first maximum within its plane, or -1 of a window of padding
// alone.
template <class T>
void max_pool(const PoolGeometry& g, const Pool2dOptions& o, const T* x, T* y, int64_t* index);
// dx[index] += dy, for dx of zeros. Error(kValue) for an index outside the plane.
template <class T>
void max_pool_backward(int64_t planes, int64_t out_plane, int64_t plane, const T* dy, const int64_t* index, T* dx);

}  // namespace vitrail::detail
