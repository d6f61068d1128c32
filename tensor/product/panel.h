// Rows of A times one packed panel of B, on the calling thread: the step that all our products are made of.
#pragma once

#include <algorithm>

#include "base/divide.h"
#include "tensor/product/matrix_view.h"
#include "tensor/product/micro_kernel.h"
#include "tensor/product/pack.h"

namespace vitrail::detail {

// The panel's functions in the kernel's table: [height - 1].
inline const MultiplyTile* multiplies(const MicroKernel& kernel, int64_t width) {
  return width == kernel.cols ? kernel.multiply : kernel.multiply_narrow;
}

// C [rows, cols] = the rows of A from `row` on times a panel of `width` columns, or += with `accumulate`. `multiply` is for as
// many rows as c has. Columns of the panel that c does not have, or has apart in memory, go through a buffer.
// c by reference: a copy would be read in other pieces than it was just written in, and so wait until all stores before it,
// a tile of sums, have left the processor. That took a tenth of a bf16 step.
void multiply_group(MultiplyTile multiply, const LeftOperand& a, int64_t row, const uint32_t* panel, int64_t width,
                    const MatrixView<float>& c, bool accumulate);

// All rows of A times one panel of `width` columns, in groups of nearly equal height where the rows allow it: 197 rows are 2 of
// 14 and 13 of 13, not 14 of 14 and a single one. before(group, groups) runs before each group, to prefetch what comes next.
template <class Before>
inline void multiply_panel(const MicroKernel& kernel, const LeftOperand& a, const uint32_t* panel, int64_t width,
                           const MatrixView<float>& c, bool accumulate, Before&& before) {
  const MultiplyTile* const multiply = multiplies(kernel, width);
  const int64_t groups = ceil_div(a.rows, kernel.rows), cols = std::min(width, c.cols);
  for (int64_t group = 0, row = 0; group < groups; ++group) {
    const int64_t equal = a.rows / groups + (group < a.rows % groups ? 1 : 0);
    const int64_t count = a.interleaved ? std::min(kernel.rows, a.rows - row) : equal;
    before(group, groups);
    multiply_group(multiply[count - 1], a, row, panel, width, c.block(row, count, 0, cols), accumulate);
    row += count;
  }
}

}  // namespace vitrail::detail
