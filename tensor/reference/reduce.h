// Reductions over the last axes of x: another order of axes is brought there by a permuted view before. y has one element for
// each row of n elements. Sums are in double; those of integers wrap around.
#pragma once

#include "tensor/tensor.h"

namespace vitrail::reference {

void sum(const Tensor& x, int64_t n, Tensor y);
void mean(const Tensor& x, int64_t n, Tensor y);
void prod(const Tensor& x, int64_t n, Tensor y);
void var(const Tensor& x, int64_t n, double correction, Tensor y);
void logsumexp(const Tensor& x, int64_t n, Tensor y);
// The largest (else the smallest), NaN if there is one.
void extremum(const Tensor& x, int64_t n, bool largest, Tensor y);
// Its place, i64: the first of equals, or the last; NaN counts as the best.
void arg_extremum(const Tensor& x, int64_t n, bool largest, bool select_last, Tensor y);

}  // namespace vitrail::reference
