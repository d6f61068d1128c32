// The innermost product of a convolution: a few rows times a panel of columns.
#pragma once

#include <cstdint>

#include "base/divide.h"

namespace vitrail::detail {

// C [rows, cols] = A B, or += with accumulate. A: element (i, k) at a[i * row_step + k * depth_step]; B: `cols` contiguous
// elements for each k.
template <class T>
struct TileKernel {
  int64_t rows, cols;
  bool counts_flops;  // true if `multiply` counts its own FLOPs
  void (*multiply)(int64_t depth, const T* a, int64_t row_step, int64_t depth_step, const T* b, T* c, int64_t ldc,
                   bool accumulate);

  int64_t rounded_rows(int64_t n) const { return round_up(n, rows); }
  int64_t rounded_cols(int64_t n) const { return round_up(n, cols); }
};

// Our own micro-kernel for float where the processor has one, else BLIS.
template <class T>
TileKernel<T> tile_kernel();

}  // namespace vitrail::detail
