// Average pooling and its gradient, fast: over windows of a fixed size or over a fixed number of cells, with the same loops.
// One thread computes a plane.
#pragma once

#include "tensor/kernels/pool_detail.h"

namespace vitrail::detail {

// y [planes, out_h, out_w]: the averages of avg_pool2d's windows; the backward pass adds each window's dy / divisor to dx,
// which must hold zeros.
template <class T>
void average_pool(const PoolGeometry& g, const Pool2dOptions& o, const T* x, T* y);
template <class T>
void average_pool_backward(const PoolGeometry& g, const Pool2dOptions& o, const T* dy, T* dx);
// The same for the cells of adaptive_avg_pool2d.
template <class T>
void average_cells(const PoolGeometry& g, const T* x, T* y);
template <class T>
void average_cells_backward(const PoolGeometry& g, const T* dy, T* dx);

}  // namespace vitrail::detail
