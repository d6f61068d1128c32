#pragma once

#include <memory>

#include "nn/activation.h"
#include "nn/linear.h"
#include "nn/norm.h"

namespace vitrail::nn {

// The last axis cut into heads, [B, N, H K] -> [B, H, N, K]: head h is the h-th run of K columns. A view of x, if x's last axis
// has no gaps. Error(kShape) unless heads divides H K.
Variable split_heads(const Variable& x, int64_t heads);
// The heads side by side again, [B, H, N, K] -> [B, N, H K]. A view if the memory is laid out [B, N, H, K], as that of the
// result of attention() is.
Variable merge_heads(const Variable& x);

struct AttentionOptions {
  int64_t head_dim = 0;  // K, the width of a head; 0: dim / num_heads
  bool qkv_bias = true;
  bool proj_bias = true;
  bool qk_norm = false;  // LayerNorm over each head of q and k (Dehghani et al., arXiv:2302.05442)
  double attn_drop = 0;  // of the probabilities
  double proj_drop = 0;  // of the output
  double norm_eps = 1e-6;
};

// Multi-head attention (Vaswani et al., arXiv:1706.03762, section 3.2.2), [B, N, D] -> [B, N, D]:
//   q, k, v = x Wq^T, x Wk^T, x Wv^T, cut into H heads of width K;   softmax(q k^T / sqrt(K) + mask) v for each head;
//   the heads' results are concatenated, [B, N, H K], and multiplied by Wproj^T.
// qkv.weight [3 H K, D] holds the three projections one after another: Wq, Wk, Wv.
class MultiHeadAttention : public Layer {
 public:
  // Error(kValue) unless num_heads divides dim or head_dim is given, and for sizes below 1.
  MultiHeadAttention(int64_t dim, int64_t num_heads, Rng& rng, const AttentionOptions& options = {});
  MultiHeadAttention(int64_t dim, int64_t heads, Rng&& rng, const AttentionOptions& options = {})
      : MultiHeadAttention(dim, heads, rng, options) {}

  // Self-attention.
  Variable forward(const Variable& x) override { return self(x, {}); }
  // With a mask that broadcasts to [B, H, N, N]: u8 (0 forbids) or float (added).
  Variable self(const Variable& x, const Variable& mask);
  // Queries from x [B, N, D], keys and values from context [B, M, D]; mask broadcasts to [B, H, N, M].
  Variable cross(const Variable& x, const Variable& context, const Variable& mask = {});
  // Self-attention before the output projection: the concatenated heads, [B, N, H K].
  Variable heads(const Variable& x, const Variable& mask = {});

  int64_t macs(const Shape& input, const Shape& output) const override;

  // While true, every call stores its probabilities [B, H, N, M] in attention_map.
  bool keep_attention_map = false;
  Tensor attention_map;
  // While true, every call computes its products by separate ops and adds a fresh leaf of zeros [B, H, N, M], attention_offset,
  // to the probabilities. It changes no value; after backward(), attention_offset.grad() is the gradient of the probabilities.
  bool keep_attention_gradient = false;
  Variable attention_offset;

  int64_t num_heads, head_dim;
  Linear qkv, proj;
  std::unique_ptr<LayerNorm> q_norm, k_norm;  // none without qk_norm
  Dropout attn_drop, proj_drop;

 private:
  Variable attend(Variable q, Variable k, const Variable& v, const Variable& mask);
};

}  // namespace vitrail::nn
