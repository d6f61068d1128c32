// Rows of A times one packed panel of B, on the calling thread. All our products consist of this step.
#pragma once

#include <algorithm>

#include "base/divide.h"
#include "tensor/product/matrix_view.h"
#include "tensor/product/micro_kernel.h"
#include "tensor/product/pack.h"

namespace vitrail::detail {

// The kernel's functions for panels of this width, indexed by height - 1.
inline const MultiplyTile* multiplies(const MicroKernel& kernel, int64_t width) {
  return width == kernel.cols ? kernel.multiply : kernel.multiply_narrow;
}

// C [rows, cols] = the rows of A from `row` on times a panel of `width` columns, or += with `accumulate`. `multiply` must be
// the function for as many rows as c has. A buffer takes the sums if c has fewer columns than the panel, or columns that are
// not contiguous.
// c is passed by reference: a copy would be read in other pieces than it was written in (failed store forwarding), and so wait
// for all earlier stores, a whole tile of sums. That took a tenth of a bf16 step.
void multiply_group(MultiplyTile multiply, const LeftOperand& a, int64_t row, const uint32_t* panel, int64_t width,
                    const MatrixView<float>& c, bool accumulate);

// All rows of A times one panel of `width` columns, in groups of nearly equal height where the rows allow it: 197 rows become 2
// groups of 14 and 13 of 13, not 14 groups of 14 and a single row. before(group, groups) is called before each group, to
// prefetch what is read next.
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
