// C = A B + beta C in f32 by our own kernels: in a Vision Transformer the operands are long, thin and shared by all threads, so
// packing the right operand once for all threads is faster than BLIS (docs/kernels.md). gemm() chooses between the two. The
// results do not depend on the number of threads.
//
// With Precision::kBf16 both operands are rounded to bf16 (round to nearest, ties to even) as they are packed; products and
// sums are f32 as before. Relative error of one element: at most 2^-7 of sum |a| |b| in the worst case, far less on average.
// An operand stored in bf16 gives the same bits as one that is rounded while it is packed; it needs Precision::kBf16.
#pragma once

#include "tensor/product/gemm.h"
#include "tensor/product/operand.h"
#include "tensor/storage.h"

namespace vitrail::detail {

// True if there is a micro-kernel for this processor. If not, the caller uses BLIS.
bool has_product_kernels();
// True if there is a micro-kernel and the product [m, k] x [k, n] is large enough to be worth packing.
bool large_enough(int64_t m, int64_t n, int64_t k);
// True if the product is large enough, each matrix has a unit stride (C along its rows), and beta is 0 or 1.
bool suits_product(const Operand& a, const Operand& b, float beta, const MatrixView<float>& c);

// The right operand B [K, N], packed for the micro-kernel: blocks of the depth, each split into panels of N.
class PackedMatrix {
 public:
  // Reads B once, in parallel. Error(kMemory) if there is no room for the copy (as large as B, half of it in bf16).
  PackedMatrix(const Operand& b, Precision precision);

  int64_t rows() const { return rows_; }
  int64_t cols() const { return cols_; }
  Precision precision() const { return precision_; }
  // The panel that begins at column `col` (a multiple of the kernel's columns), of depth block `block`.
  const void* panel(int64_t block, int64_t col) const;

 private:
  int64_t rows_, cols_;
  Precision precision_;
  Storage data_;
};

// C = A B + beta C for what suits_product() accepts. Each finished tile is handed to the epilogue while it is in the cache.
void product(const Operand& a, const PackedMatrix& b, float beta, MatrixView<float> c, const TileEpilogue& epilogue);
// The same, packing B too: a large one depth block by depth block, so that the packed copy stays in the cache.
void product(const Operand& a, const Operand& b, float beta, MatrixView<float> c, const TileEpilogue& epilogue,
             Precision precision);

// Takes a finished tile of C, which begins at (row, col), and may change it.
using TileSink = std::function<void(int64_t row, int64_t col, MatrixView<float> tile)>;
// A B tile by tile: C as a whole is never in memory, for callers that need it only in another form, such as rounded to bf16.
void product_tiles(const Operand& a, const PackedMatrix& b, const TileSink& sink);

}  // namespace vitrail::detail
