// Sums, means, products and variances, fast: accumulated in double, over blocks whose borders depend on the size alone.
#pragma once

#include "tensor/kernels/reduce_layout.h"

namespace vitrail::kernels {

// The operations of tensor/ops/reduce.h from a layout into `out`, which has its shape. prod and var need over_rows.
void sum(const ReduceLayout& layout, Tensor out);
void mean(const ReduceLayout& layout, Tensor out);
void prod(const ReduceLayout& layout, Tensor out);
void var(const ReduceLayout& layout, double correction, Tensor out);

}  // namespace vitrail::kernels
