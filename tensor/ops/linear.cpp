#include "tensor/ops/linear.h"

#include "tensor/blas.h"
#include "tensor/ops/gelu_exact.h"
#include "tensor/ops/reduce.h"
#include "tensor/ops/rounding.h"
#include "tensor/product/bf16.h"
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

// Rounded numbers stand for f32.
Dtype number_dtype(const Tensor& x) { return x.dtype() == Dtype::bf16 ? Dtype::f32 : x.dtype(); }

detail::Operand operand_of(const Tensor& x) {
  if (x.dtype() == Dtype::bf16) return view_of<Bf16>(x);
  return view_of<float>(x);
}

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
      if (detail::suits_product(operand_of(a), operand_of(b), beta, c))
        return detail::product(operand_of(a), operand_of(b), beta, c, epilogue, Precision::kBf16);
      return multiply_matrices<float>(widened(a), widened(b), beta, c, epilogue, Precision::kF32);
    }
  }
  gemm<T>(1, view_of<T>(a), view_of<T>(b), beta, c, epilogue, precision);
}

void check_linear(const char* op, const Tensor& x, const Tensor& weight, const Tensor& bias) {
  check(x.dim() >= 1 && weight.dim() == 2 && x.size(-1) == weight.size(1), ErrorKind::kShape, op,
        "weight is [out, in] and x is [..., in]: x is ", x.shape(), ", weight is ", weight.shape(),
        ". Hint: the last extent of x must be the second of weight.");
  check(!bias.defined() || (bias.dim() == 1 && bias.size(0) == weight.size(0)), ErrorKind::kShape, op,
        "bias is [out]: bias is ", bias.defined() ? bias.shape() : Shape{}, ", weight is ", weight.shape());
  const Dtype dtype = number_dtype(x);
  check(dtype == weight.dtype() && (!bias.defined() || bias.dtype() == dtype), ErrorKind::kValue, op, "dtypes differ: x is ",
        name_of(x.dtype()), ", weight is ", name_of(weight.dtype()));
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
      return detail::product(operand_of(in), options.packed->matrix(), 0, out, epilogue);
  }
  multiply_matrices<T>(in, transpose(weight), 0, out, epilogue, options.precision);
}

// The tiles of x w in bf16, for what is to be rounded again; `packed` is w where it is packed already.
void rounded_product(const Tensor& x, const Tensor& w, const PackedWeight* packed, const detail::TileSink& sink) {
  const Tensor in = as_matrix(x), dense = w.stride(0) == 1 || w.stride(1) == 1 ? w : contiguous(w);
  const Tensor rows = in.stride(1) == 1 ? in : contiguous(in);
  if (packed) return detail::product_tiles(operand_of(rows), packed->matrix(), sink);
  detail::product_tiles(operand_of(rows), detail::PackedMatrix(view_of<float>(dense), Precision::kBf16), sink);
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
  return x.defined() && number_dtype(x) == Dtype::f32 && x.dim() >= 1 && weight.dim() == 2 && weight.is_contiguous() &&
         x.size(-1) == weight.size(1) && x.numel() > 0 && x.numel() / x.size(-1) <= kFewRows && weight.size(0) >= 8 &&
         weight.numel() >= 4096 && detail::has_product_kernels();
}

bool PackedWeight::is_for(const Tensor& weight, Precision precision) const {
  return weight.storage() == weight_.storage() && weight.offset() == weight_.offset() && weight.shape() == weight_.shape() &&
         weight.version() == version_ && precision == matrix_->precision();
}

bool rounds_operands(const Tensor& x, int64_t outputs, Precision precision) {
  if (precision != Precision::kBf16 || number_dtype(x) != Dtype::f32 || x.dim() < 1 || x.numel() == 0) return false;
  return detail::large_enough(x.numel() / x.size(-1), outputs, x.size(-1));
}

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias, const LinearOptions& options) {
  check_linear("linear", x, weight, bias);
  Tensor y = empty(output_shape(x, weight), number_dtype(x), "linear"), holder;
  dispatch_float("linear", y.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* b = elements<T>(bias, holder);
    multiply<T>(x, weight, y, options, [=](int64_t, int64_t c0, int64_t c1, T* row) { add_row(row, b, c0, c1); });
  });
  return y;
}

Tensor linear_rounded(const Tensor& x, const Tensor& weight, const Tensor& bias, const PackedWeight* packed) {
  check_linear("linear", x, weight, bias);
  Tensor y = empty(output_shape(x, weight), Dtype::bf16, "linear"), holder;
  const float* b = elements<float>(bias, holder);
  Bf16* out = y.mutable_data<Bf16>();
  const int64_t n = weight.size(0);
  rounded_product(x, transpose(weight), packed, [=](int64_t row, int64_t col, MatrixView<float> tile) {
    for (int64_t i = 0; i < tile.rows; ++i) {
      float* values = tile.data + i * tile.row_stride;
      if (b) add_row(values, b + col, 0, tile.cols);
      detail::round_row(values, tile.cols, out + (row + i) * n + col);
    }
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

Tensor linear_gelu_rounded(const Tensor& x, const Tensor& weight, const Tensor& bias, Tensor* slope,
                           const PackedWeight* packed) {
  check_linear("linear_gelu", x, weight, bias);
  const Shape shape = output_shape(x, weight);
  Tensor y = empty(shape, Dtype::bf16, "linear_gelu"), holder;
  if (slope) *slope = empty(shape, Dtype::bf16, "linear_gelu");
  const float* b = elements<float>(bias, holder);
  Bf16 *values = y.mutable_data<Bf16>(), *slopes = slope ? slope->mutable_data<Bf16>() : nullptr;
  const int64_t n = weight.size(0);
  rounded_product(x, transpose(weight), packed, [=](int64_t row, int64_t col, MatrixView<float> tile) {
    std::vector<float> slope_row(slopes ? static_cast<size_t>(tile.cols) : 0);
    for (int64_t i = 0; i < tile.rows; ++i) {
      float* h = tile.data + i * tile.row_stride;
      const int64_t at = (row + i) * n + col;
      if (b) add_row(h, b + col, 0, tile.cols);
      gelu_row(h, slopes ? slope_row.data() : nullptr, 0, tile.cols);
      detail::round_row(h, tile.cols, values + at);
      if (slopes) detail::round_row(slope_row.data(), tile.cols, slopes + at);
    }
  });
  return y;
}

Tensor linear_backward_input(const Tensor& dy, const Tensor& weight, Precision precision, const Tensor* slope) {
  Shape shape = dy.shape();
  shape.back() = weight.size(1);
  check(!slope || (slope->shape() == shape && slope->is_contiguous() && slope->dtype() == weight.dtype()), ErrorKind::kShape,
        "linear", "slope is contiguous and like dx: slope is ", slope ? slope->shape() : Shape{}, ", dx is ", shape);
  Tensor dx = empty(shape, weight.dtype(), "linear"), rows = as_matrix(dx);
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

Tensor linear_backward_input_rounded(const Tensor& dy, const Tensor& weight, const Tensor& slope) {
  Shape shape = dy.shape();
  shape.back() = weight.size(1);
  check(slope.shape() == shape && slope.is_contiguous() && slope.dtype() == Dtype::bf16, ErrorKind::kShape, "linear",
        "slope is rounded, contiguous and like dx: slope is ", slope.shape(), ", dx is ", shape);
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
      detail::round_row(dh, tile.cols, out + at);
    }
  });
  return dx;
}

namespace {

void weight_product(const Tensor& dy, const Tensor& x, Tensor& dw, bool accumulate, Precision precision) {
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

Tensor linear_backward_bias(const Tensor& dy) { return sum(as_matrix(dy), {0}); }

}  // namespace vitrail
