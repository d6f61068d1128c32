// Packing: operands rearranged so that the micro-kernel reads memory in order.
#pragma once

#include "tensor/product/gemm.h"
#include "tensor/product/micro_kernel.h"
#include "tensor/product/operand.h"

namespace vitrail::detail {

// Steps that a depth takes: itself, or half of it for pairs (an odd last number is paired with zero).
constexpr int64_t steps_of(int64_t depth, ProductFormat format) {
  return (depth + numbers_per_step(format) - 1) / numbers_per_step(format);
}

// Stored bf16 are for ProductFormat::kBf16Pair only.

// The panels of B, `panel_stride` elements apart: in each for every step `width` elements, a multiple of 16; columns beyond
// b.cols are zero. One stride of b must be one.
void pack_panels(const Operand& b, int64_t width, ProductFormat format, int64_t panel_stride, void* out);

// A block of A in groups of rows, and how the micro-kernel finds element (row, step) of a group: at row * row_step +
// step * depth_step.
struct RowGroups {
  const uint32_t* data;
  int64_t row_step, depth_step, group_step;  // group_step: of one row, so that a group is where its first row would be
  bool interleaved;  // then a group begins at multiples of the height that it was made for; else rows may be cut anywhere
  const uint32_t* group(int64_t row) const { return data + row * group_step; }
};
// Elements of `scratch` that group_rows() uses at most for `rows` rows.
int64_t grouped_rows_size(int64_t rows, int64_t group, int64_t depth, ProductFormat format);
// Rows that lie in memory one after the other are taken where they are, or copied where they would be in each other's way or
// must be rounded; where a column is contiguous (dy^T), `group` rows are interleaved.
RowGroups group_rows(const Operand& a, int64_t group, ProductFormat format, uint32_t* scratch);

}  // namespace vitrail::detail
