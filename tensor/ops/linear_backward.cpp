// Gradients of linear layers.
#include "tensor/kernels/linear_detail.h"
#include "tensor/machine/parallel.h"
#include "tensor/ops/elementwise.h"
#include "tensor/ops/linear.h"
#include "tensor/ops/reduce.h"
#include "tensor/plain.h"
#include "tensor/reference/linear.h"

namespace vitrail {
namespace {

using detail::as_matrix, detail::elements, detail::multiply_matrices, detail::multiply_row, detail::number_dtype,
    detail::output_view;

void weight_product(const Tensor& dy, const Tensor& x, Tensor& dw, bool accumulate, Precision precision) {
  if (runs_plain(PlainOp::kLinear))
    return reference::linear_backward_weight(dy, x, dw, accumulate, precision == Precision::kBf16);
  dispatch_float("linear", dw.dtype(), [&](auto zero) {
    using T = decltype(zero);
    multiply_matrices<T>(transpose(as_matrix(dy)), as_matrix(x), accumulate ? 1 : 0, output_view<T>(dw), {},
                         precision);  // [N, M] x [M, K]
  });
}

// dgamma of one row, and dW of it, written over g.
template <class T>
T scale_row_backward(T* g, const T* weight, int64_t n, T gamma) {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t k = 0; k < n; ++k) sum += static_cast<double>(weight[k]) * static_cast<double>(g[k]);
#pragma omp simd
  for (int64_t k = 0; k < n; ++k) g[k] *= gamma;
  return static_cast<T>(sum);
}

}  // namespace

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
      for (int64_t i = r0; i < r1; ++i) multiply_row(out.data + i * out.row_stride, factor + i * out.cols, c0, c1);
    };
    multiply_matrices<T>(as_matrix(dy), weight, 0, out, slope ? times_slope : TileEpilogue{}, precision);  // [M, N] x [N, K]
  });
  return dx;
}

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

Tensor linear_backward_scale(Tensor g, const Tensor& weight, const Tensor& bias, const Tensor& db, const Tensor& gamma) {
  const Tensor dense = contiguous(weight);
  check(g.shape() == weight.shape() && g.is_contiguous() && db.shape() == gamma.shape() && gamma.numel() == g.size(0),
        ErrorKind::kShape, "linear", "g is contiguous and like the weight, gamma and db are [out]: g is ", g.shape(),
        ", weight is ", weight.shape(), ", gamma is ", gamma.shape(), ", db is ", db.shape());
  Tensor dgamma = empty_like(gamma), bias_memory, gamma_memory;
  dispatch_float("linear", g.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T *w = dense.data<T>(), *factors = elements<T>(gamma, gamma_memory), *sums = db.data<T>();
    const T* b = elements<T>(bias, bias_memory);
    T *rows = g.mutable_data<T>(), *out = dgamma.mutable_data<T>();
    const int64_t n = g.size(1);
    parallel_for(g.size(0), std::max<int64_t>(1, kElementwiseGrain / std::max<int64_t>(1, n)), [=](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        out[i] = scale_row_backward(rows + i * n, w + i * n, n, factors[i]) + (b ? b[i] * sums[i] : T{0});
    });
  });
  return dgamma;
}

}  // namespace vitrail
