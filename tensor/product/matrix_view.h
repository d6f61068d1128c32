// A matrix in memory, as the products read and write it.
#pragma once

#include <cstdint>

namespace vitrail {

// Any row and column stride, in elements. Transposing is exchanging the two strides. Owns nothing.
template <class T>
struct MatrixView {
  T* data = nullptr;
  int64_t rows = 0, cols = 0;
  int64_t row_stride = 0, col_stride = 0;

  MatrixView transposed() const { return {data, cols, rows, col_stride, row_stride}; }
  MatrixView block(int64_t row, int64_t row_count, int64_t col, int64_t col_count) const {
    return {data + row * row_stride + col * col_stride, row_count, col_count, row_stride, col_stride};
  }
};

}  // namespace vitrail
