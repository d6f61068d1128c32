#pragma once

#include "nn/mlp.h"
#include "nn/norm.h"

namespace vitrail::nn {

// Attention pooling (Zhai et al., arXiv:2106.04560, section 3.3, as SigLIP has it): a learned query asks all tokens,
//   q = latent Wq^T, k | v = x Wkv^T;   y = proj(softmax(q k^T / sqrt(K)) v);   result = y + mlp(norm(y)),
// [B, N, D] -> [B, D]. Parameters under timm's names: latent [1, 1, D], q, kv [2 D, D], proj, norm, mlp.
class AttentionPool : public Layer {
 public:
  // Error(kValue) unless num_heads divides dim.
  AttentionPool(int64_t dim, int64_t num_heads, int64_t mlp_hidden, Rng& rng, ActivationKind activation = ActivationKind::kGelu,
                double norm_eps = 1e-6);
  Variable forward(const Variable& x) override;

  int64_t num_heads;
  Variable latent;
  Linear q, kv, proj;
  LayerNorm norm;
  Mlp mlp;
};

}  // namespace vitrail::nn
