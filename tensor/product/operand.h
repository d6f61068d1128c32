// One operand of a product: a matrix of f32, or one that is stored in bf16.
#pragma once

#include <variant>

#include "tensor/dtype.h"
#include "tensor/product/matrix_view.h"

namespace vitrail::detail {

class Operand {
 public:
  Operand(MatrixView<const float> x) : view_(x) {}  // NOLINT
  Operand(MatrixView<const Bf16> x) : view_(x) {}   // NOLINT

  // fn(view), with the view of f32 or of bf16.
  template <class Fn>
  decltype(auto) visit(Fn&& fn) const {
    return std::visit(fn, view_);
  }
  bool rounded() const { return std::holds_alternative<MatrixView<const Bf16>>(view_); }
  int64_t rows() const {
    return visit([](const auto& x) { return x.rows; });
  }
  int64_t cols() const {
    return visit([](const auto& x) { return x.cols; });
  }
  int64_t row_stride() const {
    return visit([](const auto& x) { return x.row_stride; });
  }
  int64_t col_stride() const {
    return visit([](const auto& x) { return x.col_stride; });
  }
  Operand transposed() const {
    return visit([](const auto& x) { return Operand(x.transposed()); });
  }
  Operand block(int64_t row, int64_t row_count, int64_t col, int64_t col_count) const {
    return visit([=](const auto& x) { return Operand(x.block(row, row_count, col, col_count)); });
  }

 private:
  std::variant<MatrixView<const float>, MatrixView<const Bf16>> view_;
};

}  // namespace vitrail::detail
