#pragma once

#include "nn/attention.h"
#include "nn/mlp.h"

namespace vitrail::nn {

struct BlockOptions {
  double mlp_ratio = 4;    // hidden width of the MLP = int(dim * mlp_ratio), unless
  int64_t mlp_hidden = 0;  // it is given here
  AttentionOptions attention{};
  bool mlp_bias = true;
  double proj_drop = 0;    // dropout after both layers of the MLP
  double drop_path = 0;    // stochastic depth of both branches
  double init_values = 0;  // LayerScale's initial value; 0 means no LayerScale
  ActivationKind activation = ActivationKind::kGelu;
  double norm_eps = 1e-6;
  bool post_norm = false;
};

// One block of the Transformer encoder, [B, N, D] -> [B, N, D].
//   pre-norm (ViT, arXiv:2010.11929, equations 2 and 3): x = x + attn(norm1(x)); x = x + mlp(norm2(x))
//   post-norm (arXiv:1706.03762, section 3.1):           x = norm1(x + attn(x)); x = norm2(x + mlp(x))
// with LayerScale and drop path after attn and after mlp.
class EncoderBlock : public Layer {
 public:
  EncoderBlock(int64_t dim, int64_t num_heads, Rng& rng, const BlockOptions& options = {});
  EncoderBlock(int64_t dim, int64_t num_heads, Rng&& rng, const BlockOptions& options = {})
      : EncoderBlock(dim, num_heads, rng, options) {}
  Variable forward(const Variable& x) override;

  bool post_norm;
  LayerNorm norm1;
  MultiHeadAttention attn;
  LayerScale ls1;  // the identity without init_values
  DropPath drop_path1;
  LayerNorm norm2;
  Mlp mlp;
  LayerScale ls2;
  DropPath drop_path2;
};

// block(x). With `recompute`, and while gradients are on, only x is kept for the backward pass, which computes the rest again
// (autograd/checkpoint.h). A frozen block whose input needs no gradient runs as in a NoGradGuard.
Variable run_block(EncoderBlock& block, const Variable& x, bool recompute);

}  // namespace vitrail::nn
