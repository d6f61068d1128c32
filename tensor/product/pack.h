// Packing: operands rearranged so that the micro-kernel reads memory in order.
#pragma once

#include "base/divide.h"
#include "tensor/product/micro_kernel.h"
#include "tensor/product/operand.h"

namespace vitrail::detail {

// Steps that a depth takes: itself, or half of it for pairs (an odd last number is paired with zero).
constexpr int64_t steps_of(int64_t depth, Precision precision) { return ceil_div(depth, numbers_per_step(precision)); }

// Stored bf16 are for Precision::kBf16 only.

// The panels of B, `panel_stride` elements apart: in each for every step `width` elements, a multiple of 16; columns beyond
// b.cols are zero. One stride of b must be one.
void pack_panels(const Operand& b, int64_t width, Precision precision, int64_t panel_stride, void* out);

// Rows of A as the micro-kernel reads them: element (row, step) of a group at row * row_step + step * depth_step from the
// group's first row. Elements are four bytes: a float, or a pair of bf16.
struct LeftOperand {
  const void* data;
  int64_t rows, steps, row_step, depth_step;
  // Groups begin at multiples of the height that they were made for; else rows may be cut anywhere.
  bool interleaved = false;

  const uint32_t* group(int64_t row) const {
    return static_cast<const uint32_t*>(data) + row * (interleaved ? steps : row_step);
  }
};
// Elements of `scratch` that group_rows() uses at most for `rows` rows.
int64_t grouped_rows_size(int64_t rows, int64_t group, int64_t depth, Precision precision);
// Rows that lie in memory one after the other are taken where they are, or copied where they would be in each other's way or
// must be rounded; where a column is contiguous (dy^T), `group` rows are interleaved.
LeftOperand group_rows(const Operand& a, int64_t group, Precision precision, uint32_t* scratch);

}  // namespace vitrail::detail
