// Packing: operands rearranged so that the micro-kernel reads memory in order.
#pragma once

#include "base/divide.h"
#include "tensor/product/micro_kernel.h"
#include "tensor/product/operand.h"

namespace vitrail::detail {

// The number of steps for a depth: the depth itself, or half of it in pairs (an odd last number is paired with zero).
constexpr int64_t steps_of(int64_t depth, Precision precision) { return ceil_div(depth, numbers_per_step(precision)); }

// Below, operands stored in bf16 need Precision::kBf16.

// The panels of B, `panel_stride` elements apart: each panel has `width` elements (a multiple of 16) for every step; columns
// beyond b.cols are zero. One stride of b must be one.
void pack_panels(const Operand& b, int64_t width, Precision precision, int64_t panel_stride, void* out);

// Rows of A as the micro-kernel reads them: element (row, step) of a group at row * row_step + step * depth_step from the
// group's first row. Elements are four bytes: a float, or a pair of bf16.
struct LeftOperand {
  const void* data;
  int64_t rows, steps, row_step, depth_step;
  // If true, groups start at multiples of the height that they were made for; else a group may start at any row.
  bool interleaved = false;

  const uint32_t* group(int64_t row) const {
    return static_cast<const uint32_t*>(data) + row * (interleaved ? steps : row_step);
  }
};
// The most elements of `scratch` that group_rows() uses for `rows` rows.
int64_t grouped_rows_size(int64_t rows, int64_t group, int64_t depth, Precision precision);
// Prepares the rows of A. Contiguous rows are read in place, or copied if they would share cache sets or must be rounded. If
// the columns are contiguous instead (dy^T), every `group` rows are interleaved.
LeftOperand group_rows(const Operand& a, int64_t group, Precision precision, uint32_t* scratch);

}  // namespace vitrail::detail
