// What linear layers in f32 and f64 (linear.cpp) and those with rounded results (linear_rounded.cpp) share.
#pragma once

#include "tensor/machine/gelu_exact.h"
#include "tensor/ops/linear.h"
#include "tensor/product/matrix_of.h"

namespace vitrail::detail {

// Rounded numbers stand for f32.
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

// y = gelu(y), slope = gelu'(y)
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

// The bias's elements, or null. Contiguous memory is kept alive by `holder`.
template <class T>
const T* elements(const Tensor& bias, Tensor& holder) {
  if (!bias.defined()) return nullptr;
  holder = contiguous(bias);
  return holder.data<T>();
}

}  // namespace vitrail::detail
