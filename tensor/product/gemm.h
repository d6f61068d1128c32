// Matrix products. blis.cpp is the only file that includes BLIS, and it alone decides threads for it.
//
// Large f32 products run our own kernels (tensor/product/product.h), all others BLIS. Multi-threaded BLIS may give other last
// bits than single-threaded BLIS for small or skinny shapes, so the parallel loop is ours: tiles whose borders depend on the
// shape alone, single-threaded BLIS inside.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "tensor/product/matrix_view.h"
#include "tensor/precision.h"

namespace vitrail {

// Called for each finished tile of C, rows [r0, r1) and columns [c0, c1), while it is still in the cache.
using TileEpilogue = std::function<void(int64_t r0, int64_t r1, int64_t c0, int64_t c1)>;

// C = alpha * A B + beta * C with A [M, K], B [K, N], C [M, N]; T is float or double. With beta = 0, C is not read.
// K = 0 gives beta * C. Parallel over tiles of C, or over pieces of K where C is small and K long.
// Precision::kBf16 rounds both operands to bf16 where T is float and the product is large; small ones stay as they are.
// Errors: Error(kShape) if the shapes do not fit.
template <class T>
void gemm(T alpha, MatrixView<const T> a, MatrixView<const T> b, T beta, MatrixView<T> c, const TileEpilogue& epilogue = {},
          Precision precision = Precision::kF32);
// The same by BLIS alone, without rounding to bf16. gemm() falls back to it, and the tests compare our own kernels with it.
template <class T>
void gemm_blis(T alpha, MatrixView<const T> a, MatrixView<const T> b, T beta, MatrixView<T> c,
               const TileEpilogue& epilogue = {});

// The same by BLIS on the calling thread, for use inside parallel_for.
template <class T>
void gemm_serial(T alpha, MatrixView<const T> a, MatrixView<const T> b, T beta, MatrixView<T> c);

// The kernel set that BLIS runs ("zen3", "skx", "haswell", "generic", ...).
std::string blas_kernel_name();
// A sentence for the user if BLIS does not know this processor: which kernel set was chosen, or what to set. Empty otherwise.
std::string blas_notice();

}  // namespace vitrail
