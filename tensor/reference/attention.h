// Scaled dot-product attention, one query at a time. q [B, H, N, K], k [B, H, M, K], v [B, H, M, Kv]; mask undefined, or
// [B, H, N, M] of u8 (0 forbids) or of q's dtype (added). `rounded`: the factors of all products are rounded to bf16, as
// products of Precision::kBf16 do: q, k, v and P, and in the backward pass dy and dS.
#pragma once

#include "tensor/tensor.h"

namespace vitrail::reference {

struct AttentionInput {
  Tensor q, k, v, mask;
  double scale;
  bool rounded;
};

// output [B, H, N, Kv]; probabilities [B, H, N, M] or undefined.
void attention(const AttentionInput& in, Tensor output, Tensor probabilities);
// dq, dk, dv as q, k, v; dscores [B, H, N, M] or undefined. P is computed again.
void attention_backward(const AttentionInput& in, const Tensor& dy, Tensor dq, Tensor dk, Tensor dv, Tensor dscores);

}  // namespace vitrail::reference
