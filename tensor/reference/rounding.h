// Rounding f32 to bf16 and back.
#pragma once

#include "tensor/tensor.h"

namespace vitrail::reference {

// x to the nearest bf16, ties to even; NaN stays NaN, and a number beyond the largest bf16 becomes infinity.
Bf16 round_to_bf16(float x);
// The f32 whose upper half x is: exact.
float widen_bf16(Bf16 x);
// x rounded to bf16: the value that a product in bf16 reads.
inline double rounded(double x) { return static_cast<double>(widen_bf16(round_to_bf16(static_cast<float>(x)))); }

// y_i = x_i, from f32 to bf16 and from bf16 to f32; equal shapes, any strides.
void round_to_bf16(const Tensor& x, Tensor y);
void widen_bf16(const Tensor& x, Tensor y);
// x itself if it is f32 or f64; a copy in f32 if it is bf16, which has no arithmetic.
Tensor numbers_of(const Tensor& x);

// Calls fill(y); if y is bf16, calls fill(t) for an f32 tensor t instead and rounds t into y.
template <class Fill>
void fill_rounded(const char* op, Tensor y, Fill&& fill) {
  if (y.dtype() != Dtype::bf16) return fill(y);
  const Tensor numbers = empty(y.shape(), Dtype::f32, op);
  fill(numbers);
  round_to_bf16(numbers, y);
}

}  // namespace vitrail::reference
