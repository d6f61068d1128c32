// Maximum pooling and its gradient, fast. One thread computes a plane.
#pragma once

#include "tensor/kernels/pool_detail.h"

namespace vitrail::detail {

// y and index [planes, out_h, out_w]; index: the position of the first maximum in its plane, or -1 for a window that covers
// only padding.
template <class T>
void max_pool(const PoolGeometry& g, const Pool2dOptions& o, const T* x, T* y, int64_t* index);
// dx[index] += dy; dx must hold zeros. Error(kValue) for an index outside the plane.
template <class T>
void max_pool_backward(int64_t planes, int64_t out_plane, int64_t plane, const T* dy, const int64_t* index, T* dx);

}  // namespace vitrail::detail
