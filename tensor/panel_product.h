// Small products of f32 matrices on the calling thread, for a right operand that several products share: it is packed once, and
// read in order ever after. For the products inside one attention head this beats gemm_serial, which packs B in every call or
// reads it with long strides.
#pragma once

#include <cstdint>

#include "tensor/blas.h"
#include "tensor/precision.h"

namespace vitrail {

// With Precision::kBf16 both operands are rounded to bf16 (round to nearest, ties to even), as in detail::product(), whose
// micro-kernel then multiplies; sums are f32 as before.

// Floats that B [K, N] takes when packed: its columns are filled up to whole vectors (in bf16 whole panels), with zeros.
int64_t packed_size(int64_t rows, int64_t cols, Precision precision = Precision::kF32);
// The most columns that C may have: N filled up to whole vectors.
int64_t packed_cols(int64_t cols);

// factor * B in panels of two vectors of columns, row by row (the last panel may be one vector wide), in bf16 as
// detail::pack_panels() does it. The rows or the columns
// of B lie in memory without gaps: one of its strides is 1.
void pack_panels(MatrixView<const float> b, float factor, float* panels, Precision precision = Precision::kF32);

// C = A B, or C += A B with `add`, with A [M, K] of any strides, B [K, N] packed, C [M, N] or [M, packed_cols(N)].
// Every element of C is one sum over k in ascending order, so its bits depend neither on the strides nor on M and N.
// K = 0 gives zeros. In bf16 the rows or the columns of A lie in memory without gaps. Does not count its FLOPs: the caller
// does, once for all.
void multiply_panels(MatrixView<const float> a, const float* panels, MatrixView<float> c, bool add = false,
                     Precision precision = Precision::kF32);

}  // namespace vitrail
