// The fast way through an encoder block: the numbers of its equation (nn/encoder_block.cpp) with fewer passes over memory.
//   - bias, LayerScale, drop path and the residual are applied to a tile of the last product while it is in the cache;
//   - both layers of the MLP and the GELU between them are one op (autograd/ops/fused.h);
//   - with bf16 products, what only products read (norms, q k v, heads, hidden layer) is stored in bf16.
#pragma once

#include "autograd/variable.h"

namespace vitrail::nn {

class EncoderBlock;

namespace fused {

// Whether forward() below may stand for the block's equation now: nobody observes its layers, no dropout is active between them
// (drop path may be), and the MLP's activation is the exact GELU.
bool applies(const EncoderBlock& block);
// The block's output for x [B, N, D]. In f32 and f64 the values are those of the equation to the bit, up to contracted
// multiply-adds; gradients differ by rounding where LayerScale is present.
Variable forward(EncoderBlock& block, const Variable& x);

}  // namespace fused
}  // namespace vitrail::nn
