// The eigen-decomposition of a symmetric matrix.
#pragma once

#include "tensor/tensor.h"

namespace vitrail {

struct EigenDecomposition {
  Tensor values;   // f64 [n], rising
  Tensor vectors;  // f64 [n, n], orthonormal columns, in the order of the values
};

// a = V diag(values) V^T for a symmetric a [n, n], computed in double: Householder reduction to a tridiagonal matrix, then QL
// iterations with Wilkinson's implicit shift (Golub and Van Loan, "Matrix Computations", 4th ed., sections 8.3.1 to 8.3.3).
// About 9 n^3 operations: half a second for n = 768. Only the lower triangle and the diagonal are read. The signs of the
// vectors are chosen so that their largest element is positive; the same bits for any number of threads. Error(kShape) unless a
// is [n, n]; Error(kValue) unless its dtype is a float; Error(kNumeric) if an element is not finite.
EigenDecomposition eigh(const Tensor& a);

}  // namespace vitrail
