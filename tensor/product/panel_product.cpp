#include "tensor/product/panel_product.h"

#include <algorithm>

#include "tensor/product/block.h"
#include "tensor/product/pack.h"

namespace vitrail::detail {
namespace {

// One panel after the other: panel(its first column, its width).
template <class Fn>
void for_each_panel(const MicroKernel& kernel, int64_t cols, Fn&& panel) {
  for (int64_t col = 0; col < cols; col += kernel.cols)
    panel(col, kernel.multiply_narrow && cols - col <= MicroKernel::kNarrow ? MicroKernel::kNarrow : kernel.cols);
}

// c = the leading columns of `whole`, or += them.
void write(MatrixView<float> c, const float* whole, int64_t stride, bool add) {
  for (int64_t i = 0; i < c.rows; ++i, whole += stride) {
    float* row = c.data + i * c.row_stride;
    for (int64_t j = 0; j < c.cols; ++j) row[j * c.col_stride] = add ? row[j * c.col_stride] + whole[j] : whole[j];
  }
}

// Rows to ask for, `step` of them at a time.
struct RowsAhead {
  void some() {
    for (int64_t end = std::min(x.rows, next + step); next < end; ++next) x.prefetch(next);
  }
  const ReadSoon& x;
  int64_t step, next = 0;
};

// All rows of A times one panel, in groups of nearly equal height: 65 rows are five groups of 13, not four of 14 and a 9.
void multiply_panel(const MicroKernel& kernel, const LeftOperand& a, const uint32_t* panel, int64_t width,
                    const MatrixView<float>& c, bool add, RowsAhead& ahead) {
  const MultiplyTile* multiply = width == kernel.cols ? kernel.multiply : kernel.multiply_narrow;
  const int64_t groups = (a.rows + kernel.rows - 1) / kernel.rows;
  const auto* left = static_cast<const uint32_t*>(a.data);
  for (int64_t group = 0, row = 0; group < groups; ++group) {
    ahead.some();
    const int64_t count = a.rows / groups + (group < a.rows % groups ? 1 : 0);
    const MatrixView<float> tile = c.block(row, count, 0, std::min(width, c.cols));
    if (tile.cols == width && c.col_stride == 1) {
      multiply[count - 1](a.steps, left, a.row_step, a.depth_step, panel, tile.data, tile.row_stride, add);
    } else {
      float whole[MicroKernel::kMostRows * MicroKernel::kMostCols];
      multiply[count - 1](a.steps, left, a.row_step, a.depth_step, panel, whole, width, false);
      write(tile, whole, width, add);
    }
    left += count * a.row_step;
    row += count;
  }
}

}  // namespace

PanelProduct::PanelProduct(Precision precision) : format_(format_of(precision)), kernel_(*micro_kernel_for(format_)) {}

int64_t PanelProduct::packed_size(int64_t rows, int64_t cols) const {
  int64_t width_of_all = 0;
  for_each_panel(kernel_, cols, [&](int64_t, int64_t width) { width_of_all += width; });
  return steps_of(rows, format_) * width_of_all;
}

void PanelProduct::pack(const Operand& b, uint32_t* panels) const {
  const int64_t steps = steps_of(b.rows(), format_);
  int64_t wide_cols = b.cols();
  for_each_panel(kernel_, b.cols(), [&](int64_t col, int64_t width) { wide_cols = width < kernel_.cols ? col : wide_cols; });
  pack_panels(b.block(0, b.rows(), 0, wide_cols), kernel_.cols, format_, steps * kernel_.cols, panels);
  if (wide_cols < b.cols()) {
    constexpr int64_t kNarrow = MicroKernel::kNarrow;
    pack_panels(b.block(0, b.rows(), wide_cols, b.cols() - wide_cols), kNarrow, format_, steps * kNarrow,
                panels + steps * wide_cols);
  }
}

int64_t PanelProduct::left_size(int64_t rows, int64_t depth) const {
  return grouped_rows_size(rows, kernel_.rows, depth, format_);
}

LeftOperand PanelProduct::left(const Operand& a, uint32_t* scratch) const {
  const RowGroups rows = group_rows(a, kernel_.rows, format_, scratch);
  return {rows.data, a.rows(), steps_of(a.cols(), format_), rows.row_step, rows.depth_step};
}

void PanelProduct::multiply(const LeftOperand& a, const uint32_t* panels, int64_t cols, const MatrixView<float>& c, bool add,
                            const ReadSoon& soon) const {
  const int64_t tiles = ((cols + kernel_.cols - 1) / kernel_.cols) * ((a.rows + kernel_.rows - 1) / kernel_.rows);
  RowsAhead ahead{soon, tiles ? (soon.rows + tiles - 1) / tiles : 0};
  for_each_panel(kernel_, cols, [&](int64_t col, int64_t width) {
    multiply_panel(kernel_, a, panels + col * a.steps, width, c.block(0, c.rows, col, c.cols - col), add, ahead);
  });
}

}  // namespace vitrail::detail
