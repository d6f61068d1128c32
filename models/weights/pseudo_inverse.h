// The pseudo-inverse of a small matrix.
#pragma once

#include "tensor/tensor.h"

namespace vitrail {

// The Moore-Penrose inverse A^+ [n, m] of A [m, n], in f64. A^+ b is the shortest of the x for which |A x - b| is smallest.
// Singular values up to max(m, n) 2^-52 times the largest count as zero, as in NumPy's matrix_rank.
// From the singular value decomposition A = U S V^T by one-sided Jacobi rotations (Hestenes, "Inversion of matrices by
// biorthogonalization and related results", 1958): A^+ = V S^+ U^T. Normal equations (A^T A)^-1 A^T would square the condition
// number, and fail for a matrix without full rank. The time grows as m n min(m, n): for a few hundred rows and columns.
// Error(kShape) unless A is a matrix of at least one row and column, Error(kValue) unless it is f64.
Tensor pseudo_inverse(const Tensor& a);

}  // namespace vitrail
