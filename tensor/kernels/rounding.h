// Rounding to bf16 and back, fast: works on strips of rows, so that a strip is still in the first-level cache when its columns
// are summed.
#pragma once

#include "tensor/tensor.h"

namespace vitrail::kernels {

// x is contiguous: f32 (out is bf16 of its shape), or bf16 (nothing to round, out is not used). If column_sums is given, it
// receives the sums of x over all axes but the last, f32. If samples is given (f32, contiguous, one factor per index of axis
// 0), samples[i] x[i] takes the place of x[i] in both.
void round_to_bf16(const Tensor& x, Tensor out, Tensor* column_sums, const Tensor* samples);
// out f32 = x bf16, both contiguous.
void widen_bf16(const Tensor& x, Tensor out);

}  // namespace vitrail::kernels
