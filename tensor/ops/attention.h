// Scaled dot-product attention (Vaswani et al., arXiv:1706.03762, equation 1) as one operation.
#pragma once

#include "tensor/tensor.h"

namespace vitrail {

// What the forward pass keeps for the backward pass.
struct AttentionResult {
  Tensor output;         // [B, H, N, Kv] as a view of a contiguous [B, N, H, Kv] block: merging the heads is free
  Tensor probabilities;  // [B, H, N, M], the softmax rows P
};

// P = softmax(scale * Q K^T + mask), O = P V.
// q [B, H, N, K], k [B, H, M, K], v [B, H, M, Kv], any strides (heads are views into the fused qkv buffer).
// mask: undefined, or float (added; -inf forbids) or u8 (0 forbids), broadcasting to [B, H, N, M].
// A row in which every key is forbidden gives zeros, not NaN. scale <= 0 means 1 / sqrt(K).
// Errors: Error(kShape) naming all shapes.
AttentionResult attention_forward(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask = {}, double scale = 0);

struct AttentionGradients {
  Tensor dq, dk, dv;  // shaped as q, k, v
  Tensor dscores;     // [B, H, N, M], the gradient of scale * Q K^T + mask; undefined unless asked for
};
// dV = P^T dO; dP = dO V^T; dS = P (dP - rowsum(dP P)); dQ = scale dS K; dK = scale dS^T Q.
// dy is shaped as the output; probabilities come from attention_forward.
AttentionGradients attention_backward(const Tensor& dy, const Tensor& q, const Tensor& k, const Tensor& v,
                                      const Tensor& probabilities, double scale = 0, bool with_scores = false);
// The same into tensors that exist already, of any strides: views into one fused dqkv buffer.
void attention_backward_into(const Tensor& dy, const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& probabilities,
                             double scale, AttentionGradients& gradients);

}  // namespace vitrail
