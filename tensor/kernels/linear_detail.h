// Shared by the files of linear layers: tensor/ops/linear.cpp and linear_backward.cpp (results in f32 and f64), and
// tensor/kernels/linear_rounded.cpp (results stored in bf16).
#pragma once

#include <type_traits>

#include "tensor/machine/gelu_exact.h"
#include "tensor/ops/linear.h"
#include "tensor/ops/rounding.h"
#include "tensor/product/gemm.h"
#include "tensor/product/matrix_of.h"
#include "tensor/product/product.h"

namespace vitrail::detail {

// The dtype of results computed from x: f32 if x is stored in bf16.
inline Dtype number_dtype(const Tensor& x) { return x.dtype() == Dtype::bf16 ? Dtype::f32 : x.dtype(); }

inline void check_linear(const char* op, const Tensor& x, const Tensor& weight, const Tensor& bias) {
  check(x.dim() >= 1 && weight.dim() == 2 && x.size(-1) == weight.size(1), ErrorKind::kShape, op,
        "weight is [out, in] and x is [..., in]: x is ", x.shape(), ", weight is ", weight.shape(),
        ". Hint: the last extent of x must be the second of weight.");
  check(!bias.defined() || (bias.dim() == 1 && bias.size(0) == weight.size(0)), ErrorKind::kShape, op,
        "bias is [out]: bias is ", bias.defined() ? bias.shape() : Shape{}, ", weight is ", weight.shape());
  const Dtype dtype = number_dtype(x);
  check(dtype == weight.dtype() && (!bias.defined() || bias.dtype() == dtype), ErrorKind::kValue, op, "dtypes differ: x is ",
        name_of(x.dtype()), ", weight is ", name_of(weight.dtype()));
}

inline Shape output_shape(const Tensor& x, const Tensor& weight) {
  Shape shape = x.shape();
  shape.back() = weight.size(0);
  return shape;
}

template <class T>
void add_row(T* y, const T* more, int64_t c0, int64_t c1) {
  for (int64_t j = c0; more && j < c1; ++j) y[j] += more[j];
}

template <class T>
void multiply_row(T* y, const T* factors, int64_t c0, int64_t c1) {
#pragma omp simd
  for (int64_t j = c0; j < c1; ++j) y[j] *= factors[j];
}

// slope = gelu'(y), y = gelu(y), in place
template <class T>
void gelu_row(T* y, T* slope, int64_t c0, int64_t c1) {
  if (slope) {
#pragma omp simd
    for (int64_t j = c0; j < c1; ++j) y[j] = ExactGelu::value_and_slope(y[j], &slope[j]);
  } else {
#pragma omp simd
    for (int64_t j = c0; j < c1; ++j) y[j] = ExactGelu::value(y[j]);
  }
}

// The bias's elements, or null. `holder` keeps the contiguous memory alive.
template <class T>
const T* elements(const Tensor& bias, Tensor& holder) {
  if (!bias.defined()) return nullptr;
  holder = contiguous(bias);
  return holder.data<T>();
}

inline Tensor widened(const Tensor& x) {
  if (x.dtype() != Dtype::bf16) return x;
  return x.is_contiguous() ? widen_bf16(x) : transpose(widen_bf16(transpose(x)));
}

// C = A B + beta C, where a and b may be stored in bf16. Products that are too small for our kernels are computed in f32.
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

}  // namespace vitrail::detail
