// Several steps of a Transformer block as one op, for nn/fused_block.cpp: less memory traffic, the same mathematics. Each has a
// twin of plain ops in the tests (tests/autograd/twin_test.cpp) and a row in the table of gradient checks.
#pragma once

#include "autograd/variable.h"

namespace vitrail {

// x W^T + b, stored in bf16: for one qkv_attention, which reads it so. Error(kValue) unless rounds_operands().
Variable linear_rounded(const Variable& x, const Variable& weight, const Variable& bias = {});

// What a residual branch is multiplied by before it is added.
struct Branch {
  Variable gamma{};  // [N], LayerScale; undefined: 1
  Tensor samples{};  // [B, 1, ...], drop path's factors (tensor/ops/dropout.h); undefined: 1
};
// residual + samples gamma (x W^T + b), in one pass over the output.
Variable linear_add(const Variable& x, const Variable& weight, const Variable& bias, const Variable& residual,
                    const Branch& branch = {});
// residual + samples gamma (gelu(x W1^T + b1) W2^T + b2), exact GELU: a block's perceptron with its residual. One node, so that
// dh = (dy W2) gelu' is one pass over the widest array, and so that in bf16 h, gelu' and dh, which only products read, are
// stored in bf16.
Variable mlp(const Variable& x, const Variable& weight1, const Variable& bias1, const Variable& weight2, const Variable& bias2,
             const Variable& residual, const Branch& branch = {});

}  // namespace vitrail
