// Rounding a tensor to bf16 once for all products that read it: half the memory, and the products need not round.
#pragma once

#include "tensor/tensor.h"

namespace vitrail {

// x [...] f32 to bf16: to nearest, ties to even; NaN stays NaN. Contiguous. If `column_sums` is given, it receives the sums of
// the unrounded x over all axes but the last, [D] f32, in the same pass. An x that is bf16 already is returned as it is.
// If `samples` [B, 1, ...] f32 is given, x [B, ...] is first multiplied by the factor of its sample (index of axis 0), in the
// same pass.
// Errors: Error(kValue) for another dtype, or a bf16 x that is not contiguous; Error(kShape) for a scalar with `column_sums`,
// or if samples does not fit.
Tensor round_to_bf16(const Tensor& x, Tensor* column_sums = nullptr, const Tensor* samples = nullptr);
// x bf16, contiguous, to f32: exact.
Tensor widen_bf16(const Tensor& x);

}  // namespace vitrail
