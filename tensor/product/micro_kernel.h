// The innermost loop of our matrix products, written once for all processors.
//
// A micro-kernel multiplies kRows rows of A by one packed panel of B (kCols columns) and keeps the kRows x kCols sums in
// registers until the end: each step loads one row of the panel and broadcasts kRows elements of A. One translation unit per
// instruction set includes this file with that set's flags (micro_kernel_*.cpp); micro_kernel_for() picks at run time.
#pragma once

#include <cstdint>

#include "tensor/precision.h"

namespace vitrail::detail {

// One step of the depth is one f32, or two neighbouring numbers rounded to bf16 (a pair, the first in the low half).
constexpr int64_t numbers_per_step(Precision precision) { return precision == Precision::kF32 ? 1 : 2; }

// sums = A B over `steps` steps; then c = sums, or c += sums with `accumulate`.
// a: element (row, step) at a[row * row_step + step * depth_step]. b: the panel, one row of columns for each step. c: rows of
// as many floats, ldc apart. All elements are four bytes: a float, or a pair of bf16.
using MultiplyTile = void (*)(int64_t steps, const void* a, int64_t row_step, int64_t depth_step, const void* b, float* c,
                              int64_t ldc, bool accumulate);

struct MicroKernel {
  static constexpr int64_t kMostRows = 16, kMostCols = 64;  // upper bounds for any kernel: callers size their buffers by them
  int64_t rows, cols;                                       // of the largest tile, whose sums fill the registers
  const MultiplyTile* multiply;                             // [height - 1] for tiles of 1 to `rows` rows
  const MultiplyTile* multiply_narrow;                      // the same for panels of kNarrow columns; null if `cols` <= kNarrow
  static constexpr int64_t kNarrow = 16;
};

// The kernels of one instruction set; null if the compiler or the processor does not support it.
const MicroKernel* micro_kernel_avx2(Precision precision);
const MicroKernel* micro_kernel_avx512(Precision precision);
const MicroKernel* micro_kernel_avx512_bf16();

// The fastest kernel that this processor runs; null on one without AVX2 and FMA, where BLIS is used instead.
const MicroKernel* micro_kernel_for(Precision precision);

}  // namespace vitrail::detail
