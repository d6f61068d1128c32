// Numbers rounded to bf16 once, for all products that will read them: half the memory, and no rounding in the products.
#pragma once

#include "tensor/tensor.h"

namespace vitrail {

// x [...] f32 to bf16: to nearest, ties to even; NaN stays NaN. Contiguous. With `column_sums`, it receives the sums of x as
// it was over all axes but the last [D] f32, in the same pass. Numbers that are bf16 already stay where they are.
// With `samples` [B, 1, ...] f32, x [B, ...] is multiplied by the factor of its index of axis 0 first, in the same pass too.
// Errors: Error(kValue) for another dtype, or with `column_sums` for a scalar; Error(kShape) if samples does not fit.
Tensor round_to_bf16(const Tensor& x, Tensor* column_sums = nullptr, const Tensor* samples = nullptr);
// Back to f32, exactly.
Tensor widen_bf16(const Tensor& x);

}  // namespace vitrail
