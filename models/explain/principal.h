// Principal components of the rows of a matrix.
#pragma once

#include <vector>

#include "tensor/tensor.h"

namespace vitrail::models::explain {

struct PrincipalComponents {
  Tensor directions;  // f64 [k, M], orthonormal rows, the largest variance first; the largest entry of each is positive
  std::vector<double> variances;  // of the rows of X along each direction
  double total = 0;               // the sum of all variances
};

// The `count` (at most min(N, M)) directions in which the rows of X [N, M], less their mean, vary most: the largest
// eigenvectors of the covariance X^T X / N, by subspace iteration with Rayleigh-Ritz (Golub & Van Loan, "Matrix Computations",
// section 8.2), in f64. Iterates until no variance changes by more than 1e-9 of the total, at most 300 times: of directions
// with nearly equal variances the plane is found, not the axes in it. Error(kShape) unless X is a float matrix with N, M, count
// >= 1.
PrincipalComponents principal_components(const Tensor& x, int64_t count);

// Eigenvalues and eigenvectors of a symmetric matrix [n, n] by cyclic Jacobi rotations (the same book, section 8.5): values
// falling, vectors f64 [n, n] as rows. For small n: each of some ten sweeps costs 6 n^3.
std::pair<std::vector<double>, Tensor> symmetric_eigen(const Tensor& matrix);

}  // namespace vitrail::models::explain
