// Matrix products over the last two axes. Strides of any kind are used as they are: a transposed view costs no copy.
#pragma once

#include "tensor/tensor.h"

namespace vitrail {

// [..., M, K] x [..., K, N] -> [..., M, N]; batch axes broadcast. Rank 1 operands are rows (a) or columns (b), and their
// axis disappears from the result, as in NumPy. Errors: Error(kShape) with both shapes; Error(kValue) if dtypes differ.
Tensor matmul(const Tensor& a, const Tensor& b);

}  // namespace vitrail
