#include "tensor/product/block.h"

#include <algorithm>
#include <type_traits>

#include "tensor/product/pack.h"

namespace vitrail::detail {
namespace {

// c = from, or += it. The step between columns is a constant where it is one, so that the loop vectorises.
template <class ColStride>
void write(const MatrixView<float>& c, const float* from, int64_t from_stride, bool accumulate, ColStride col_stride) {
  for (int64_t i = 0; i < c.rows; ++i, from += from_stride) {
    float* row = c.data + i * c.row_stride;
    if (accumulate) {
      for (int64_t j = 0; j < c.cols; ++j) row[j * col_stride] += from[j];
    } else {
      for (int64_t j = 0; j < c.cols; ++j) row[j * col_stride] = from[j];
    }
  }
}

// c = the product of one group of rows and one panel, or += it. Columns that C has not, or has apart, go through a buffer.
// c by reference: a copy would be read in other pieces than it was just written in, and so wait until all stores before it,
// a tile of sums, have left the processor. That took a tenth of a bf16 step.
void multiply_group(const MicroKernel& kernel, int64_t steps, const RowGroups& rows, int64_t row, const void* panel,
                    const MatrixView<float>& c, bool accumulate) {
  const void* a = rows.group(row);
  const MultiplyTile multiply = kernel.multiply[c.rows - 1];
  if (c.cols == kernel.cols && c.col_stride == 1)
    return multiply(steps, a, rows.row_step, rows.depth_step, panel, c.data, c.row_stride, accumulate);
  float whole[MicroKernel::kMostRows * MicroKernel::kMostCols];
  multiply(steps, a, rows.row_step, rows.depth_step, panel, whole, kernel.cols, false);
  if (c.col_stride == 1) {
    write(c, whole, kernel.cols, accumulate, std::integral_constant<int64_t, 1>{});
  } else {
    write(c, whole, kernel.cols, accumulate, c.col_stride);
  }
}

// Asks for piece `part` of `parts` of a panel: little by little, so that no request waits for those before it.
void prefetch_part(const uint32_t* panel, int64_t elements, int64_t part, int64_t parts) {
  constexpr int64_t kLine = 16;
  const int64_t lines = elements / kLine, end = lines * (part + 1) / parts;
  for (int64_t line = lines * part / parts; line < end; ++line) __builtin_prefetch(panel + line * kLine, 0, 2);
}

}  // namespace

void multiply_block(const MicroKernel& kernel, ProductFormat format, const Operand& a, Panels b, bool accumulate,
                    MatrixView<float> c, uint32_t* scratch) {
  const RowGroups rows = group_rows(a, kernel.rows, format, scratch);
  const int64_t steps = steps_of(a.cols(), format), groups = (c.rows + kernel.rows - 1) / kernel.rows;
  // Groups of nearly equal height where the rows allow it: 197 rows are 2 of 14 and 13 of 13, not 14 of 14 and a single one.
  const int64_t height = rows.interleaved ? kernel.rows : c.rows / std::max<int64_t>(1, groups);
  const int64_t higher = rows.interleaved ? 0 : c.rows - height * groups;  // so many have one row more
  for (int64_t j = 0; j < c.cols; j += kernel.cols) {
    const uint32_t* panel = b.first + j / kernel.cols * b.stride;
    const int64_t cols = std::min(kernel.cols, c.cols - j);
    const bool ask = b.far && j + kernel.cols < c.cols;
    for (int64_t row = 0, group = 0; row < c.rows; ++group) {
      const int64_t count = std::min(c.rows - row, height + (group < higher ? 1 : 0));
      if (ask) prefetch_part(panel + b.stride, steps * kernel.cols, group, groups);
      multiply_group(kernel, steps, rows, row, panel, c.block(row, count, j, cols), accumulate);
      row += count;
    }
  }
}

}  // namespace vitrail::detail
