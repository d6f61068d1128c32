// The matrix product.
#pragma once

#include "tensor/product/matrix_view.h"
#include "tensor/tensor.h"

namespace vitrail::reference {

// C = alpha A B + beta C with A [M, K], B [K, N], C [M, N] of any strides; the sums are in double. With beta = 0, C is not
// read: a NaN in it is overwritten. T is float or double.
template <class T>
void gemm(T alpha, MatrixView<const T> a, MatrixView<const T> b, T beta, MatrixView<T> c);

// c = a b for each matrix of the batch: a [..., M, K], b [..., K, N], c [..., M, N] with equal leading axes (the caller has
// expanded them).
void matmul(const Tensor& a, const Tensor& b, Tensor c);

}  // namespace vitrail::reference
