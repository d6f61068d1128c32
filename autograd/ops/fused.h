// Several steps of a Transformer block as one op, for nn/fused_block.cpp: the same function with less memory traffic. Each op
// has a twin composed of simple ops in the tests (tests/autograd/twin_test.cpp) and a row in the table of gradient checks.
#pragma once

#include "autograd/variable.h"

namespace vitrail {

// x W^T + b, stored in bf16: x [..., K], weight [N, K], bias [N] -> [..., N]. Its only reader must be one qkv_attention.
// Error(kValue) unless rounds_operands().
Variable linear_rounded(const Variable& x, const Variable& weight, const Variable& bias = {});

// The factors of a residual branch before it is added.
struct Branch {
  Variable gamma{};  // [N], LayerScale; undefined: 1
  Tensor samples{};  // [B, 1, ...], drop path's factors (tensor/ops/dropout.h); undefined: 1
};
// residual + samples gamma (x W^T + b), in one pass over the output: x [..., K], weight [N, K], bias [N] or undefined, residual
// [..., N] -> [..., N]. Errors as linear_add() of tensor/ops/linear.h.
Variable linear_add(const Variable& x, const Variable& weight, const Variable& bias, const Variable& residual,
                    const Branch& branch = {});
// residual + samples gamma (gelu(x W1^T + b1) W2^T + b2) with the exact GELU, a block's MLP with its residual: x [..., D],
// weight1 [F, D], weight2 [D, F], residual [..., D] -> [..., D]. It is one node, so that dh = (dy W2) gelu' takes one pass over
// the widest array, and so that with bf16 products h, gelu' and dh, which only products read, are stored in bf16.
Variable mlp(const Variable& x, const Variable& weight1, const Variable& bias1, const Variable& weight2, const Variable& bias2,
             const Variable& residual, const Branch& branch = {});

}  // namespace vitrail
