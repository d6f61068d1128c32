// Separable resizing, fast: one sparse matrix is applied along the rows, another along the columns.
#pragma once

#include "tensor/kernels/resize_weights.h"

namespace vitrail::detail {

// x [rows, w.in] -> y [rows, w.out]
template <class T>
void resize_columns(const AxisWeights& w, int64_t rows, const T* x, T* y);
// x [planes, w.in, width] -> y [planes, w.out, width]
template <class T>
void resize_rows(const AxisWeights& w, int64_t planes, int64_t width, const T* x, T* y);

}  // namespace vitrail::detail
