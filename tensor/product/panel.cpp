#include "tensor/product/panel.h"

#include <type_traits>

namespace vitrail::detail {
namespace {

// c = from, or c += from. ColStride is a compile-time constant where the column stride is 1, so that the loop vectorises.
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

}  // namespace

void multiply_group(MultiplyTile multiply, const LeftOperand& a, int64_t row, const uint32_t* panel, int64_t width,
                    const MatrixView<float>& c, bool accumulate) {
  const uint32_t* rows = a.group(row);
  if (c.cols == width && c.col_stride == 1)
    return multiply(a.steps, rows, a.row_step, a.depth_step, panel, c.data, c.row_stride, accumulate);
  float whole[MicroKernel::kMostRows * MicroKernel::kMostCols];
  multiply(a.steps, rows, a.row_step, a.depth_step, panel, whole, width, false);
  if (c.col_stride == 1) {
    write(c, whole, width, accumulate, std::integral_constant<int64_t, 1>{});
  } else {
    write(c, whole, width, accumulate, c.col_stride);
  }
}

}  // namespace vitrail::detail
