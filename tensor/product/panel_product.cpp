#include "tensor/product/panel_product.h"

#include <algorithm>

#include "tensor/product/panel.h"

namespace vitrail::detail {
namespace {

// Calls panel(first column, width) for each panel in order.
template <class Fn>
void for_each_panel(const MicroKernel& kernel, int64_t cols, Fn&& panel) {
  for (int64_t col = 0; col < cols; col += kernel.cols)
    panel(col, kernel.multiply_narrow && cols - col <= MicroKernel::kNarrow ? MicroKernel::kNarrow : kernel.cols);
}

// Rows to prefetch, `step` of them at a time.
struct RowsAhead {
  void some() {
    for (int64_t end = std::min(x.rows, next + step); next < end; ++next) x.prefetch(next);
  }
  const ReadSoon& x;
  int64_t step, next = 0;
};

}  // namespace

PanelProduct::PanelProduct(Precision precision) : precision_(precision), kernel_(*micro_kernel_for(precision)) {}

int64_t PanelProduct::packed_size(int64_t rows, int64_t cols) const {
  int64_t width_of_all = 0;
  for_each_panel(kernel_, cols, [&](int64_t, int64_t width) { width_of_all += width; });
  return steps_of(rows, precision_) * width_of_all;
}

void PanelProduct::pack(const Operand& b, uint32_t* panels) const {
  const int64_t steps = steps_of(b.rows(), precision_);
  int64_t wide_cols = b.cols();
  for_each_panel(kernel_, b.cols(), [&](int64_t col, int64_t width) { wide_cols = width < kernel_.cols ? col : wide_cols; });
  pack_panels(b.block(0, b.rows(), 0, wide_cols), kernel_.cols, precision_, steps * kernel_.cols, panels);
  if (wide_cols < b.cols()) {
    constexpr int64_t kNarrow = MicroKernel::kNarrow;
    pack_panels(b.block(0, b.rows(), wide_cols, b.cols() - wide_cols), kNarrow, precision_, steps * kNarrow,
                panels + steps * wide_cols);
  }
}

int64_t PanelProduct::left_size(int64_t rows, int64_t depth) const {
  return grouped_rows_size(rows, kernel_.rows, depth, precision_);
}

LeftOperand PanelProduct::left(const Operand& a, uint32_t* scratch) const {
  return group_rows(a, kernel_.rows, precision_, scratch);
}

void PanelProduct::multiply(const LeftOperand& a, const uint32_t* panels, int64_t cols, const MatrixView<float>& c, bool add,
                            const ReadSoon& soon) const {
  const int64_t tiles = ceil_div(cols, kernel_.cols) * ceil_div(a.rows, kernel_.rows);
  RowsAhead ahead{soon, tiles ? ceil_div(soon.rows, tiles) : 0};
  for_each_panel(kernel_, cols, [&](int64_t col, int64_t width) {
    multiply_panel(kernel_, a, panels + col * a.steps, width, c.block(0, c.rows, col, c.cols - col), add,
                   [&](int64_t, int64_t) { ahead.some(); });
  });
}

}  // namespace vitrail::detail
