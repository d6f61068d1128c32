// Average pooling and its gradient, fast: over windows of a fixed size or over a fixed number of cells, the same loops over
// other windows. One plane is one thread's.
#pragma once

#include "tensor/kernels/pool_detail.h"

namespace vitrail::detail {

// y [planes, out_h, out_w]: the averages of avg_pool2d's windows; dx, of zeros, += the shares of dy.
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
