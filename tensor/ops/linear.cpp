#include "tensor/ops/linear.h"

#include "tensor/kernels/linear_detail.h"
#include "tensor/ops/elementwise.h"
#include "tensor/ops/reduce.h"
#include "tensor/ops/rounding.h"
#include "tensor/plain.h"
#include "tensor/product/gemm.h"
#include "tensor/product/product.h"
#include "tensor/reference/linear.h"
#include "tensor/view.h"

namespace vitrail {
namespace {

using detail::add_row, detail::as_matrix, detail::check_linear, detail::elements, detail::gelu_row, detail::number_dtype,
    detail::operand_of, detail::output_shape, detail::output_view, detail::product, detail::suits_product, detail::view_of;

Tensor widened(const Tensor& x) {
  if (x.dtype() != Dtype::bf16) return x;
  return x.is_contiguous() ? widen_bf16(x) : transpose(widen_bf16(transpose(x)));
}

// C = A B + beta C, where a and b may be rounded. What is too small for our kernels is multiplied in f32.
template <class T>
void multiply_matrices(const Tensor& a, const Tensor& b, T beta, MatrixView<T> c, const TileEpilogue& epilogue,
                       Precision precision) {
  if constexpr (std::is_same_v<T, float>) {
    if (a.dtype() == Dtype::bf16 || b.dtype() == Dtype::bf16) {
      if (suits_product(operand_of(a), operand_of(b), beta, c))
        return product(operand_of(a), operand_of(b), beta, c, epilogue, Precision::kBf16);
      return multiply_matrices<float>(widened(a), widened(b), beta, c, epilogue, Precision::kF32);
    }
  }
  gemm<T>(1, view_of<T>(a), view_of<T>(b), beta, c, epilogue, precision);
}

// y = finish(x W^T), where finish(row, col0, col1, y + row * N) is called for each row of each finished tile.
template <class T, class Finish>
void multiply(const Tensor& x, const Tensor& weight, Tensor& y, const LinearOptions& options, Finish&& finish) {
  Tensor rows = as_matrix(y);
  const MatrixView<T> out = output_view<T>(rows);
  const TileEpilogue epilogue = [&](int64_t r0, int64_t r1, int64_t c0, int64_t c1) {
    for (int64_t i = r0; i < r1; ++i) finish(i, c0, c1, out.data + i * out.row_stride);
  };
  const Tensor in = as_matrix(x);
  if constexpr (std::is_same_v<T, float>) {
    const bool fits = options.packed && (x.dtype() != Dtype::bf16 || options.precision == Precision::kBf16);
    if (fits && in.stride(-1) == 1) return product(operand_of(in), options.packed->matrix(), 0, out, epilogue);
  }
  multiply_matrices<T>(in, transpose(weight), 0, out, epilogue, options.precision);
}

}  // namespace

PackedWeight::PackedWeight(const Tensor& weight, Precision precision)
    : weight_(weight),
      version_(weight.version()),
      matrix_(std::make_unique<detail::PackedMatrix>(view_of<float>(weight).transposed(), precision)) {}

PackedWeight::~PackedWeight() = default;

bool PackedWeight::helps(const Tensor& x, const Tensor& weight) {
  constexpr int64_t kFewRows = 512;  // above, packing is below 3 % of the product
  return x.defined() && number_dtype(x) == Dtype::f32 && x.dim() >= 1 && weight.dim() == 2 && weight.is_contiguous() &&
         x.size(-1) == weight.size(1) && x.numel() > 0 && x.numel() / x.size(-1) <= kFewRows && weight.size(0) >= 8 &&
         weight.numel() >= 4096 && detail::has_product_kernels();
}

bool PackedWeight::is_for(const Tensor& weight, Precision precision) const {
  return weight.storage() == weight_.storage() && weight.offset() == weight_.offset() && weight.shape() == weight_.shape() &&
         weight.version() == version_ && precision == matrix_->precision();
}

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias, const LinearOptions& options) {
  check_linear("linear", x, weight, bias);
  Tensor y = empty(output_shape(x, weight), number_dtype(x), "linear"), holder;
  if (runs_plain(PlainOp::kLinear)) {
    reference::linear(x, weight, bias, y, options.precision == Precision::kBf16);
    return y;
  }
  dispatch_float("linear", y.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* b = elements<T>(bias, holder);
    multiply<T>(x, weight, y, options, [=](int64_t, int64_t c0, int64_t c1, T* row) { add_row(row, b, c0, c1); });
  });
  return y;
}

Tensor linear_add(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& residual,
                  const LinearOptions& options) {
  check_linear("linear_add", x, weight, bias);
  const Shape shape = output_shape(x, weight);
  check(residual.shape() == shape && residual.dtype() == number_dtype(x), ErrorKind::kShape, "linear_add",
        "residual is like the output: residual is ", residual.shape(), " ", name_of(residual.dtype()), ", the output is ",
        shape, " ", name_of(number_dtype(x)));
  if (runs_plain(PlainOp::kLinear)) return add(residual, linear(x, weight, bias, options));
  Tensor y = empty(shape, number_dtype(x), "linear_add"), holder;
  const Tensor r = contiguous(residual);
  dispatch_float("linear_add", y.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T *b = elements<T>(bias, holder), *more = r.data<T>();
    const int64_t n = weight.size(0);
    multiply<T>(x, weight, y, options, [=](int64_t i, int64_t c0, int64_t c1, T* row) {
      add_row(row, b, c0, c1);
      add_row(row, more + i * n, c0, c1);
    });
  });
  return y;
}

Tensor linear_gelu(const Tensor& x, const Tensor& weight, const Tensor& bias, const GeluKeep& keep,
                   const LinearOptions& options) {
  check_linear("linear_gelu", x, weight, bias);
  if (runs_plain(PlainOp::kLinear) || runs_plain(PlainOp::kGelu)) {
    const Tensor h = linear(x, weight, bias, options);
    if (keep.argument) *keep.argument = h;
    return keep.slope ? gelu_with_slope(h, *keep.slope) : gelu(h);
  }
  Tensor y = empty(output_shape(x, weight), number_dtype(x), "linear_gelu"), holder;
  if (keep.slope) *keep.slope = empty_like(y);
  if (keep.argument) *keep.argument = empty_like(y);
  dispatch_float("linear_gelu", y.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* b = elements<T>(bias, holder);
    T* slope = keep.slope ? keep.slope->mutable_data<T>() : nullptr;
    T* argument = keep.argument ? keep.argument->mutable_data<T>() : nullptr;
    const int64_t n = weight.size(0);
    multiply<T>(x, weight, y, options, [=](int64_t i, int64_t c0, int64_t c1, T* row) {
      add_row(row, b, c0, c1);
      if (argument) std::copy(row + c0, row + c1, argument + i * n + c0);
      gelu_row(row, slope ? slope + i * n : nullptr, c0, c1);
    });
  });
  return y;
}

Tensor linear_backward_input(const Tensor& dy, const Tensor& weight, Precision precision, const Tensor* slope) {
  Shape shape = dy.shape();
  shape.back() = weight.size(1);
  check(!slope || (slope->shape() == shape && slope->is_contiguous() && slope->dtype() == weight.dtype()), ErrorKind::kShape,
        "linear", "slope is contiguous and like dx: slope is ", slope ? slope->shape() : Shape{}, ", dx is ", shape);
  Tensor dx = empty(shape, weight.dtype(), "linear"), rows = as_matrix(dx);
  if (runs_plain(PlainOp::kLinear)) {
    reference::linear_backward_input(dy, weight, dx, precision == Precision::kBf16);
    return slope ? mul(dx, *slope) : dx;
  }
  dispatch_float("linear", weight.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const MatrixView<T> out = output_view<T>(rows);
    const T* factor = slope ? slope->data<T>() : nullptr;
    const TileEpilogue times_slope = [=](int64_t r0, int64_t r1, int64_t c0, int64_t c1) {
      for (int64_t i = r0; i < r1; ++i) {
        T* row = out.data + i * out.row_stride;
#pragma omp simd
        for (int64_t j = c0; j < c1; ++j) row[j] *= factor[i * out.cols + j];
      }
    };
    multiply_matrices<T>(as_matrix(dy), weight, 0, out, slope ? times_slope : TileEpilogue{}, precision);  // [M, N] x [N, K]
  });
  return dx;
}

namespace {

void weight_product(const Tensor& dy, const Tensor& x, Tensor& dw, bool accumulate, Precision precision) {
  if (runs_plain(PlainOp::kLinear))
    return reference::linear_backward_weight(dy, x, dw, accumulate, precision == Precision::kBf16);
  dispatch_float("linear", dw.dtype(), [&](auto zero) {
    using T = decltype(zero);
    multiply_matrices<T>(transpose(as_matrix(dy)), as_matrix(x), accumulate ? 1 : 0, output_view<T>(dw), {},
                         precision);  // [N, M] x [M, K]
  });
}

}  // namespace

Tensor linear_backward_weight(const Tensor& dy, const Tensor& x, Precision precision) {
  Tensor dw = empty({dy.size(-1), x.size(-1)}, number_dtype(dy), "linear");
  weight_product(dy, x, dw, /*accumulate=*/false, precision);
  return dw;
}

void linear_backward_weight_into(const Tensor& dy, const Tensor& x, Tensor dw, Precision precision) {
  check(dw.shape() == Shape{dy.size(-1), x.size(-1)} && dw.is_contiguous() && dw.dtype() == number_dtype(dy), ErrorKind::kShape,
        "linear", "dw must be a contiguous [N, K]: dw is ", dw.shape(), ", dy is ", dy.shape(), ", x is ", x.shape());
  weight_product(dy, x, dw, /*accumulate=*/true, precision);
}

Tensor linear_backward_bias(const Tensor& dy) {
  if (!runs_plain(PlainOp::kLinear)) return sum(as_matrix(dy), {0});
  const Tensor db = empty({dy.size(-1)}, number_dtype(dy), "linear");
  reference::linear_backward_bias(dy, db);
  return db;
}

}  // namespace vitrail
