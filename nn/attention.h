#pragma once

#include <memory>

#include "nn/activation.h"
#include "nn/linear.h"
#include "nn/norm.h"

namespace vitrail::nn {

struct AttentionOptions {
  bool qkv_bias = true;
  bool proj_bias = true;
  bool qk_norm = false;  // LayerNorm over each head of q and k (Dehghani et al., arXiv:2302.05442)
  double attn_drop = 0;  // of the probabilities
  double proj_drop = 0;  // of the output
  double norm_eps = 1e-6;
};

// Multi-head attention (Vaswani et al., arXiv:1706.03762, section 3.2.2). qkv holds the three projections as rows q | k | v.
class MultiHeadAttention : public Layer {
 public:
  // Error(kValue) unless heads divides dim.
  MultiHeadAttention(int64_t dim, int64_t num_heads, Rng& rng, const AttentionOptions& options = {});

  // Self-attention: [B, N, D] -> [B, N, D].
  Variable forward(const Variable& x) override { return self(x, {}); }
  // With a mask that broadcasts to [B, H, N, N]: u8 (0 forbids) or float (added).
  Variable self(const Variable& x, const Variable& mask);
  // residual + forward(x), as one op with the projection where nothing stands between.
  Variable add_to(const Variable& residual, const Variable& x);
  // Queries from x [B, N, D], keys and values from context [B, M, D]; mask broadcasts to [B, H, N, M].
  Variable cross(const Variable& x, const Variable& context, const Variable& mask = {});

  int64_t macs(const Shape& input, const Shape& output) const override;

  // While set, every call leaves its probabilities [B, H, N, M] in attention_map.
  bool keep_attention_map = false;
  Tensor attention_map;

  int64_t num_heads;
  Linear qkv, proj;
  std::unique_ptr<LayerNorm> q_norm, k_norm;  // none without qk_norm
  Dropout attn_drop, proj_drop;

 private:
  bool mixes_rounded(const Variable& x) const;
  Variable mixed(const Variable& x, const Variable& mask);
  Variable attend(Variable q, Variable k, const Variable& v, const Variable& mask);
  Variable heads_of(const Variable& x) const;
};

// fc2(act(fc1(x))) with dropout behind both: [..., D] -> [..., D].
class Mlp : public Layer {
 public:
  Mlp(int64_t dim, int64_t hidden, Rng& rng, ActivationKind activation = ActivationKind::kGelu, double drop = 0,
      bool with_bias = true);
  Variable forward(const Variable& x) override { return drop2(fc2(hidden(x))); }
  // residual + forward(x): one op with gradients, else two, where nothing stands between.
  Variable add_to(const Variable& residual, const Variable& x);

  Linear fc1;
  Activation act;
  Dropout drop1;
  Linear fc2;
  Dropout drop2;

 private:
  // Whether GELU is all that stands between fc1 and fc2.
  bool plain() const { return act.kind == ActivationKind::kGelu && !drop1.active(); }
  Variable hidden(const Variable& x);
};

}  // namespace vitrail::nn
