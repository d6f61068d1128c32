// The matrix product.
#pragma once

#include "tensor/tensor.h"

namespace vitrail::reference {

// c = a b for each matrix of the batch: a [..., M, K], b [..., K, N], c [..., M, N] with equal leading axes (the caller has
// expanded them).
void matmul(const Tensor& a, const Tensor& b, Tensor c);

}  // namespace vitrail::reference
