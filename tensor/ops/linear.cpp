#include "tensor/ops/linear.h"

#include <algorithm>

#include "tensor/kernels/linear_detail.h"
#include "tensor/kernels/linear_packed.h"
#include "tensor/ops/elementwise.h"
#include "tensor/plain.h"
#include "tensor/reference/linear.h"

namespace vitrail {
namespace {

using detail::add_row, detail::as_matrix, detail::check_linear, detail::elements, detail::gelu_row, detail::multiply_row,
    detail::number_dtype, detail::operand_of, detail::output_shape, detail::output_view;

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
    const bool fits = in.stride(-1) == 1 && (x.dtype() != Dtype::bf16 || options.precision == Precision::kBf16);
    if (options.keep_packed && fits) {
      if (const auto packed = detail::kept_packed_weight(x, weight, options.precision))
        return detail::product(operand_of(in), *packed, 0, out, epilogue);
    }
  }
  detail::multiply_matrices<T>(in, transpose(weight), 0, out, epilogue, options.precision);
}

void check_scale(const BranchScale& scale, const Shape& shape, Dtype dtype) {
  const auto shape_of = [](const Tensor& x) { return x.defined() ? x.shape() : Shape{}; };
  check(!scale.gamma.defined() || (scale.gamma.shape() == Shape{shape.back()} && scale.gamma.dtype() == dtype),
        ErrorKind::kShape, "linear_add", "gamma holds one factor per column: gamma is ", shape_of(scale.gamma),
        ", the output is ", shape, " ", name_of(dtype));
  Shape per_sample = shape;
  for (int axis = 1; axis < per_sample.size(); ++axis) per_sample[axis] = 1;
  check(
      !scale.samples.defined() || (shape.size() >= 2 && scale.samples.shape() == per_sample && scale.samples.dtype() == dtype),
      ErrorKind::kShape, "linear_add", "samples holds one factor per index of axis 0: samples is ", shape_of(scale.samples),
      ", the output is ", shape, " ", name_of(dtype));
}

Tensor scaled(const Tensor& branch, const BranchScale& scale) {
  const Tensor y = scale.gamma.defined() ? mul(branch, scale.gamma) : branch;
  return scale.samples.defined() ? mul(y, scale.samples) : y;
}

}  // namespace

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

Tensor linear_add(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& residual, const BranchScale& scale,
                  const LinearOptions& options) {
  check_linear("linear_add", x, weight, bias);
  const Shape shape = output_shape(x, weight);
  check(residual.shape() == shape && residual.dtype() == number_dtype(x), ErrorKind::kShape, "linear_add",
        "residual is like the output: residual is ", residual.shape(), " ", name_of(residual.dtype()), ", the output is ",
        shape, " ", name_of(number_dtype(x)));
  check_scale(scale, shape, number_dtype(x));
  if (runs_plain(PlainOp::kLinear)) return add(residual, scaled(linear(x, weight, bias, options), scale));
  Tensor y = empty(shape, number_dtype(x), "linear_add"), bias_memory, gamma_memory, samples_memory;
  const Tensor r = contiguous(residual);
  dispatch_float("linear_add", y.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T *b = elements<T>(bias, bias_memory), *gamma = elements<T>(scale.gamma, gamma_memory);
    const T *samples = elements<T>(scale.samples, samples_memory), *more = r.data<T>();
    const int64_t n = weight.size(0), rows_per_sample = samples && y.numel() > 0 ? y.numel() / n / shape[0] : 1;
    multiply<T>(x, weight, y, options, [=](int64_t i, int64_t c0, int64_t c1, T* row) {
      // One loop for each step, in the order of the separate layers, so that the results round as theirs do.
      add_row(row, b, c0, c1);
      if (gamma) multiply_row(row, gamma, c0, c1);
      if (samples) {
        const T factor = samples[i / rows_per_sample];
        for (int64_t j = c0; j < c1; ++j) row[j] *= factor;
      }
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

}  // namespace vitrail
