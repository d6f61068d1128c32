// Rounding to bf16 and back, fast: strips of rows that stay in the first-level cache while their column sums are taken too.
#pragma once

#include "tensor/tensor.h"

namespace vitrail::kernels {

// x f32 (out: bf16 of its shape) or bf16 (nothing to round; out is not used), contiguous. *column_sums, if given, becomes the
// sums of x over all axes but the last, f32; of samples[i] x[i] where `samples` (f32, contiguous, one per index of axis 0) is given.
void round_to_bf16(const Tensor& x, Tensor out, Tensor* column_sums, const Tensor* samples);
// out f32 = x bf16, both contiguous.
void widen_bf16(const Tensor& x, Tensor out);

}  // namespace vitrail::kernels
