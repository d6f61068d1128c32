// Packing: operands rearranged so that the micro-kernel reads memory in order.
#pragma once

#include "tensor/blas.h"
#include "tensor/product/micro_kernel.h"

namespace vitrail::detail {

// A number rounded to bf16, the upper half of a float: to nearest, ties to even. NaN stays NaN.
uint16_t to_bf16(float x);
float from_bf16(uint16_t x);

// Steps that a depth takes: itself, or half of it for pairs (an odd last number is paired with zero).
constexpr int64_t steps_of(int64_t depth, ProductFormat format) {
  return (depth + numbers_per_step(format) - 1) / numbers_per_step(format);
}

// One panel of B: for each step, `width` elements; columns beyond b.cols are zero. One stride of b must be one.
void pack_panel(MatrixView<const float> b, int64_t width, ProductFormat format, void* out);

// A block of A, and how the micro-kernel finds element (row, step) in it: at row * row_step + step * depth_step.
struct PackedRows {
  int64_t row_step, depth_step;
  // Offset of the group of `group` rows that begins at `row` (a multiple of group).
  int64_t offset(int64_t row) const { return row * group_step; }
  int64_t group_step;
};
// Elements that pack_rows writes at most for `rows` rows.
int64_t packed_rows_size(int64_t rows, int64_t group, int64_t depth, ProductFormat format);
// Rows that lie in memory one after the other are copied as they are; where a column is contiguous (dy^T), `group` rows are
// interleaved. Rows beyond a.rows, up to a multiple of group, are zero.
PackedRows pack_rows(MatrixView<const float> a, int64_t group, ProductFormat format, void* out);

}  // namespace vitrail::detail
