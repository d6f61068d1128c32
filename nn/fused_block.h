// The fast form of an encoder block: computes its equation (nn/encoder_block.cpp) with fewer passes over memory.
//   - bias, LayerScale, drop path and the residual are applied to a tile of the last product while it is in the cache;
//   - both layers of the MLP and the GELU between them are one op (autograd/ops/fused.h);
//   - with bf16 products, tensors that only products read (norms, q k v, heads, hidden layer) are stored in bf16.
#pragma once

#include "autograd/variable.h"

namespace vitrail::nn {

class EncoderBlock;

namespace fused {

// True if forward() below may replace the block's equation now: no observer watches its layers, no dropout is active between
// them (drop path may be), the MLP's activation is the exact GELU, and no layer has DoRA's row lengths (low-rank updates it may
// have).
bool applies(const EncoderBlock& block);
// The block's output for x [B, N, D]. In f32 and f64 the values have the bits of the equation, except where the compiler
// contracts multiply-adds differently. With LayerScale, gradients differ by rounding.
Variable forward(EncoderBlock& block, const Variable& x);

}  // namespace fused
}  // namespace vitrail::nn
