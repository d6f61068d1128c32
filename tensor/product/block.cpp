#include "tensor/product/block.h"

#include <algorithm>

#include "tensor/product/pack.h"

namespace vitrail::detail {
namespace {

// c = the product of one group of rows and one panel, or += it. Columns that C has not, or has apart, go through a buffer.
void multiply_group(const MicroKernel& kernel, int64_t steps, const RowGroups& rows, int64_t row, const void* panel,
                    MatrixView<float> c, bool accumulate) {
  const void* a = rows.group(row);
  const MultiplyTile multiply = kernel.multiply[c.rows - 1];
  if (c.cols == kernel.cols && c.col_stride == 1)
    return multiply(steps, a, rows.row_step, rows.depth_step, panel, c.data, c.row_stride, accumulate);
  float whole[16 * 64];
  multiply(steps, a, rows.row_step, rows.depth_step, panel, whole, kernel.cols, false);
  for (int64_t i = 0; i < c.rows; ++i) {
    for (int64_t j = 0; j < c.cols; ++j) {
      float& to = c.data[i * c.row_stride + j * c.col_stride];
      to = accumulate ? to + whole[i * kernel.cols + j] : whole[i * kernel.cols + j];
    }
  }
}

}  // namespace

void multiply_block(const MicroKernel& kernel, ProductFormat format, MatrixView<const float> a, Panels b, bool accumulate,
                    MatrixView<float> c, uint32_t* scratch) {
  const RowGroups rows = group_rows(a, kernel.rows, format, scratch);
  const int64_t steps = steps_of(a.cols, format), groups = (c.rows + kernel.rows - 1) / kernel.rows;
  for (int64_t j = 0; j < c.cols; j += kernel.cols) {
    const uint32_t* panel = b.first + j / kernel.cols * b.stride;
    for (int64_t group = 0; group < groups; ++group) {
      // Groups of nearly equal height where the rows allow it: 197 rows are 2 of 14 and 13 of 13, not 14 of 14 and a single one.
      const int64_t r0 = rows.interleaved ? group * kernel.rows : c.rows * group / groups;
      const int64_t r1 = rows.interleaved ? std::min(c.rows, r0 + kernel.rows) : c.rows * (group + 1) / groups;
      multiply_group(kernel, steps, rows, r0, panel, c.block(r0, r1 - r0, j, std::min(kernel.cols, c.cols - j)), accumulate);
    }
  }
}

}  // namespace vitrail::detail
