// Reductions over the last axes of x: for other axes the caller passes a permuted view. y has one element for each row of n
// elements. Sums are in double; those of integers wrap around.
#pragma once

#include "tensor/tensor.h"

namespace vitrail::reference {

void sum(const Tensor& x, int64_t n, Tensor y);
void mean(const Tensor& x, int64_t n, Tensor y);
void prod(const Tensor& x, int64_t n, Tensor y);
void var(const Tensor& x, int64_t n, double correction, Tensor y);
void logsumexp(const Tensor& x, int64_t n, Tensor y);
// The largest element of a row, or the smallest; NaN if the row holds one.
void extremum(const Tensor& x, int64_t n, bool largest, Tensor y);
// Its index in the row, i64: the first of equal ones, or the last with select_last. NaN wins over any number.
void arg_extremum(const Tensor& x, int64_t n, bool largest, bool select_last, Tensor y);

}  // namespace vitrail::reference
