#include "tensor/ops/linear.h"

#include "tensor/blas.h"
#include "tensor/ops/gelu_exact.h"
#include "tensor/ops/reduce.h"
#include "tensor/product/product.h"
#include "tensor/view.h"

namespace vitrail {
namespace {

// x as a matrix [rows, last extent]; a view unless its strides forbid it.
Tensor as_matrix(const Tensor& x) {
  Shape lead = x.shape();
  lead.erase(lead.size() - 1);
  return reshape(x, {checked_numel(lead), x.size(-1)});
}

template <class T>
MatrixView<const T> view_of(const Tensor& x) {
  return {x.data<T>(), x.size(0), x.size(1), x.stride(0), x.stride(1)};
}

template <class T>
MatrixView<T> output_view(Tensor& x) {
  return {x.mutable_data<T>(), x.size(0), x.size(1), x.stride(0), x.stride(1)};
}

void check_linear(const char* op, const Tensor& x, const Tensor& weight, const Tensor& bias) {
  check(x.dim() >= 1 && weight.dim() == 2 && x.size(-1) == weight.size(1), ErrorKind::kShape, op,
        "weight is [out, in] and x is [..., in]: x is ", x.shape(), ", weight is ", weight.shape(),
        ". Hint: the last extent of x must be the second of weight.");
  check(!bias.defined() || (bias.dim() == 1 && bias.size(0) == weight.size(0)), ErrorKind::kShape, op,
        "bias is [out]: bias is ", bias.defined() ? bias.shape() : Shape{}, ", weight is ", weight.shape());
  check(x.dtype() == weight.dtype() && (!bias.defined() || bias.dtype() == x.dtype()), ErrorKind::kValue, op,
        "dtypes differ: x is ", name_of(x.dtype()), ", weight is ", name_of(weight.dtype()));
}

Shape output_shape(const Tensor& x, const Tensor& weight) {
  Shape shape = x.shape();
  shape.back() = weight.size(0);
  return shape;
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
    if (options.packed && in.stride(-1) == 1)
      return detail::product(view_of<T>(in), options.packed->matrix(), 0, out, epilogue);
  }
  gemm<T>(1, view_of<T>(in), view_of<T>(weight).transposed(), 0, out, epilogue, options.precision);
}

template <class T>
void add_row(T* y, const T* more, int64_t c0, int64_t c1) {
  for (int64_t j = c0; more && j < c1; ++j) y[j] += more[j];
}

// y = gelu(y), slope = gelu'(y)
template <class T>
void gelu_row(T* y, T* slope, int64_t c0, int64_t c1) {
  if (slope) {
#pragma omp simd
    for (int64_t j = c0; j < c1; ++j) y[j] = detail::ExactGelu::value_and_slope(y[j], &slope[j]);
  } else {
#pragma omp simd
    for (int64_t j = c0; j < c1; ++j) y[j] = detail::ExactGelu::value(y[j]);
  }
}

// The bias's elements, or null. Contiguous memory is kept alive by `holder`.
template <class T>
const T* elements(const Tensor& bias, Tensor& holder) {
  if (!bias.defined()) return nullptr;
  holder = contiguous(bias);
  return holder.data<T>();
}

}  // namespace

PackedWeight::PackedWeight(const Tensor& weight, Precision precision)
    : weight_(weight),
      version_(weight.version()),
      matrix_(std::make_unique<detail::PackedMatrix>(view_of<float>(weight).transposed(), precision)) {}

PackedWeight::~PackedWeight() = default;

bool PackedWeight::helps(const Tensor& x, const Tensor& weight) {
  constexpr int64_t kFewRows = 512;  // above, packing is below 3 % of the product
  return x.defined() && x.dtype() == Dtype::f32 && x.dim() >= 1 && weight.dim() == 2 && weight.is_contiguous() &&
         x.size(-1) == weight.size(1) && x.numel() > 0 && x.numel() / x.size(-1) <= kFewRows && weight.size(0) >= 8 &&
         weight.numel() >= 4096 && detail::has_product_kernels();
}

bool PackedWeight::is_for(const Tensor& weight, Precision precision) const {
  return weight.storage() == weight_.storage() && weight.offset() == weight_.offset() && weight.shape() == weight_.shape() &&
         weight.version() == version_ && precision == matrix_->precision();
}

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias, const LinearOptions& options) {
  check_linear("linear", x, weight, bias);
  Tensor y = empty(output_shape(x, weight), x.dtype(), "linear"), holder;
  dispatch_float("linear", x.dtype(), [&](auto zero) {
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
  check(residual.shape() == shape && residual.dtype() == x.dtype(), ErrorKind::kShape, "linear_add",
        "residual is like the output: residual is ", residual.shape(), " ", name_of(residual.dtype()), ", the output is ",
        shape, " ", name_of(x.dtype()));
  Tensor y = empty(shape, x.dtype(), "linear_add"), holder;
  const Tensor r = contiguous(residual);
  dispatch_float("linear_add", x.dtype(), [&](auto zero) {
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

Tensor linear_gelu(const Tensor& x, const Tensor& weight, const Tensor& bias, Tensor* slope, const LinearOptions& options) {
  check_linear("linear_gelu", x, weight, bias);
  Tensor y = empty(output_shape(x, weight), x.dtype(), "linear_gelu"), holder;
  if (slope) *slope = empty_like(y);
  dispatch_float("linear_gelu", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* b = elements<T>(bias, holder);
    T* s = slope ? slope->mutable_data<T>() : nullptr;
    const int64_t n = weight.size(0);
    multiply<T>(x, weight, y, options, [=](int64_t i, int64_t c0, int64_t c1, T* row) {
      add_row(row, b, c0, c1);
      gelu_row(row, s ? s + i * n : nullptr, c0, c1);
    });
  });
  return y;
}

Tensor linear_backward_input(const Tensor& dy, const Tensor& weight, Precision precision, const Tensor* slope) {
  Shape shape = dy.shape();
  shape.back() = weight.size(1);
  check(!slope || (slope->shape() == shape && slope->is_contiguous() && slope->dtype() == dy.dtype()), ErrorKind::kShape,
        "linear", "slope is contiguous and like dx: slope is ", slope ? slope->shape() : Shape{}, ", dx is ", shape);
  Tensor dx = empty(shape, dy.dtype(), "linear"), rows = as_matrix(dx);
  dispatch_float("linear", dy.dtype(), [&](auto zero) {
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
    gemm<T>(1, view_of<T>(as_matrix(dy)), view_of<T>(weight), 0, out, slope ? times_slope : TileEpilogue{},
            precision);  // [M, N] x [N, K]
  });
  return dx;
}

namespace {

void weight_product(const Tensor& dy, const Tensor& x, Tensor& dw, bool accumulate, Precision precision) {
  dispatch_float("linear", dy.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const Tensor rows = as_matrix(dy), in = as_matrix(x);
    gemm<T>(1, view_of<T>(rows).transposed(), view_of<T>(in), accumulate ? 1 : 0, output_view<T>(dw), {},
            precision);  // [N, M] x [M, K]
  });
}

}  // namespace

Tensor linear_backward_weight(const Tensor& dy, const Tensor& x, Precision precision) {
  Tensor dw = empty({dy.size(-1), x.size(-1)}, dy.dtype(), "linear");
  weight_product(dy, x, dw, /*accumulate=*/false, precision);
  return dw;
}

void linear_backward_weight_into(const Tensor& dy, const Tensor& x, Tensor dw, Precision precision) {
  check(dw.shape() == Shape{dy.size(-1), x.size(-1)} && dw.is_contiguous() && dw.dtype() == dy.dtype(), ErrorKind::kShape,
        "linear", "dw must be a contiguous [N, K]: dw is ", dw.shape(), ", dy is ", dy.shape(), ", x is ", x.shape());
  weight_product(dy, x, dw, /*accumulate=*/true, precision);
}

Tensor linear_backward_bias(const Tensor& dy) { return sum(as_matrix(dy), {0}); }

}  // namespace vitrail
