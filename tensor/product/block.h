// One block of a product on the calling thread: what a thread does for its tile of C, one depth block after the other.
#pragma once

#include "tensor/product/gemm.h"
#include "tensor/product/micro_kernel.h"
#include "tensor/product/operand.h"
#include "tensor/product/precision.h"

namespace vitrail::detail {

constexpr ProductFormat format_of(Precision precision) {
  return precision == Precision::kF32 ? ProductFormat::kF32 : ProductFormat::kBf16Pair;
}

// Packed panels of B (pack_panels), `stride` elements apart. `far`: all of them together leave the caches of a core, so each is
// asked for while the one before it is multiplied.
struct Panels {
  const uint32_t* first;
  int64_t stride;
  bool far = false;
};

// C = A B, or C += A B with `accumulate`: panel after panel of B, group after group of A. The whole depth is one block.
// `scratch` has room for grouped_rows_size(a.rows(), kernel.rows, a.cols(), format) elements.
void multiply_block(const MicroKernel& kernel, ProductFormat format, const Operand& a, Panels b, bool accumulate,
                    MatrixView<float> c, uint32_t* scratch);

}  // namespace vitrail::detail
