// Linear layers in bf16 whose results are read by other products only: each tile of the result is rounded and stored in bf16
// while it is in the cache.
#include <vector>

#include "tensor/kernels/linear_detail.h"
#include "tensor/kernels/linear_packed.h"
#include "tensor/machine/bf16.h"
#include "tensor/ops/elementwise.h"
#include "tensor/ops/rounding.h"
#include "tensor/plain.h"
#include "tensor/product/product.h"

namespace vitrail {
namespace {

using detail::add_row, detail::as_matrix, detail::check_linear, detail::elements, detail::gelu_row, detail::number_dtype,
    detail::operand_of, detail::output_shape, detail::product_tiles, detail::round_row, detail::view_of;

// Calls sink for the tiles of x w, multiplied in bf16. If `kept_for` is given, w must be its transpose, and the packed form is
// kept with the weight *kept_for.
void rounded_product(const Tensor& x, const Tensor& w, const Tensor* kept_for, const detail::TileSink& sink) {
  check(detail::has_product_kernels(), ErrorKind::kValue, "linear",
        "this processor has no kernels for results in bf16. Hint: ask rounds_operands() first.");
  const Tensor in = as_matrix(x), dense = w.stride(0) == 1 || w.stride(1) == 1 ? w : contiguous(w);
  const Tensor rows = in.stride(1) == 1 ? in : contiguous(in);
  if (kept_for) {
    if (const auto packed = detail::kept_packed_weight(x, *kept_for, Precision::kBf16))
      return product_tiles(operand_of(rows), *packed, sink);
  }
  product_tiles(operand_of(rows), detail::PackedMatrix(view_of<float>(dense), Precision::kBf16), sink);
}

}  // namespace

bool rounds_operands(const Tensor& x, int64_t outputs, Precision precision) {
  if (precision != Precision::kBf16 || number_dtype(x) != Dtype::f32 || x.dim() < 1 || x.numel() == 0) return false;
  return detail::large_enough(x.numel() / x.size(-1), outputs, x.size(-1));
}

Tensor linear_rounded(const Tensor& x, const Tensor& weight, const Tensor& bias, bool keep_packed) {
  check_linear("linear", x, weight, bias);
  if (runs_plain(PlainOp::kLinear)) return round_to_bf16(linear(x, weight, bias, {Precision::kBf16}));
  Tensor y = empty(output_shape(x, weight), Dtype::bf16, "linear"), holder;
  const float* b = elements<float>(bias, holder);
  Bf16* out = y.mutable_data<Bf16>();
  const int64_t n = weight.size(0);
  rounded_product(x, transpose(weight), keep_packed ? &weight : nullptr, [=](int64_t row, int64_t col, MatrixView<float> tile) {
    for (int64_t i = 0; i < tile.rows; ++i) {
      float* values = tile.data + i * tile.row_stride;
      if (b) add_row(values, b + col, 0, tile.cols);
      round_row(values, tile.cols, out + (row + i) * n + col);
    }
  });
  return y;
}

Tensor linear_gelu_rounded(const Tensor& x, const Tensor& weight, const Tensor& bias, Tensor* slope, bool keep_packed) {
  check_linear("linear_gelu", x, weight, bias);
  if (runs_plain(PlainOp::kLinear) || runs_plain(PlainOp::kGelu)) {
    Tensor slopes;
    const Tensor y = linear_gelu(x, weight, bias, {.slope = slope ? &slopes : nullptr}, {Precision::kBf16});
    if (slope) *slope = round_to_bf16(slopes);
    return round_to_bf16(y);
  }
  const Shape shape = output_shape(x, weight);
  Tensor y = empty(shape, Dtype::bf16, "linear_gelu"), holder;
  if (slope) *slope = empty(shape, Dtype::bf16, "linear_gelu");
  const float* b = elements<float>(bias, holder);
  Bf16 *values = y.mutable_data<Bf16>(), *slopes = slope ? slope->mutable_data<Bf16>() : nullptr;
  const int64_t n = weight.size(0);
  rounded_product(x, transpose(weight), keep_packed ? &weight : nullptr, [=](int64_t row, int64_t col, MatrixView<float> tile) {
    std::vector<float> slope_row(slopes ? static_cast<size_t>(tile.cols) : 0);
    for (int64_t i = 0; i < tile.rows; ++i) {
      float* h = tile.data + i * tile.row_stride;
      const int64_t at = (row + i) * n + col;
      if (b) add_row(h, b + col, 0, tile.cols);
      gelu_row(h, slopes ? slope_row.data() : nullptr, 0, tile.cols);
      round_row(h, tile.cols, values + at);
      if (slopes) round_row(slope_row.data(), tile.cols, slopes + at);
    }
  });
  return y;
}

Tensor linear_backward_input_rounded(const Tensor& dy, const Tensor& weight, const Tensor& slope) {
  Shape shape = dy.shape();
  shape.back() = weight.size(1);
  check(slope.shape() == shape && slope.is_contiguous() && slope.dtype() == Dtype::bf16, ErrorKind::kShape, "linear",
        "slope is bf16, contiguous and like dx: slope is ", slope.shape(), ", dx is ", shape);
  if (runs_plain(PlainOp::kLinear)) {
    return round_to_bf16(mul(linear_backward_input(dy, weight, Precision::kBf16), widen_bf16(slope)));
  }
  Tensor dx = empty(shape, Dtype::bf16, "linear");
  Bf16* out = dx.mutable_data<Bf16>();
  const Bf16* factor = slope.data<Bf16>();
  const int64_t n = weight.size(1);
  rounded_product(dy, weight, nullptr, [=](int64_t row, int64_t col, MatrixView<float> tile) {
    for (int64_t i = 0; i < tile.rows; ++i) {
      float* dh = tile.data + i * tile.row_stride;
      const int64_t at = (row + i) * n + col;
#pragma omp simd
      for (int64_t j = 0; j < tile.cols; ++j) dh[j] *= detail::value_of(factor[at + j]);
      round_row(dh, tile.cols, out + at);
    }
  });
  return dx;
}

}  // namespace vitrail
