// Vision Transformer (Dosovitskiy et al., arXiv:2010.11929), configurable like timm's VisionTransformer.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "models/classifier.h"
#include "models/config.h"
#include "nn/container.h"
#include "nn/encoder_block.h"
#include "nn/patch_embed.h"

namespace vitrail::models {

// Token order: [cls, registers..., patches row by row]. Parameter paths are timm's keys:
//   cls_token [1, 1, D], reg_token [1, R, D], pos_embed [1, tokens, D], patch_embed.proj.*, norm_pre.*,
//   blocks.i.{norm1, attn.qkv, attn.q_norm, attn.k_norm, attn.proj, ls1, norm2, mlp.fc1, mlp.fc2, ls2}.*, norm.*, fc_norm.*,
//   head.*
// A fixed sin-cos pos_embed is a buffer.
class ViT : public Classifier {
 public:
  // Validates first: Error(kValue) before anything is allocated.
  ViT(const ViTConfig& config, Rng& rng);

  // forward_head(forward_features(images)): [B, C, H, W] -> [B, K], or [B, D] where num_classes is 0.
  Variable forward(const Variable& images) override;
  // Patches, prefix tokens and positions: what the first block sees. [B, C, H, W] -> [B, T, D].
  Variable embed(const Variable& images);
  // All tokens after the last block and the final norm (unless fc_norm moves it behind the pooling): [B, T, D].
  Variable forward_features(const Variable& images);
  // Pooling, fc_norm, dropout, head: [B, T, D] -> [B, K]. With pre_logits the head is left out: [B, D].
  Variable forward_head(const Variable& tokens, bool pre_logits = false);

  // While on, every block keeps its attention weights.
  void capture_attention(bool on);
  // One [B, H, T, T] per block, of the last forward pass; empty if nothing has been captured.
  std::vector<Tensor> attention_maps();
  // Keep only the input of each block for the backward pass and compute the rest again there: less memory, a third more time.
  void set_grad_checkpointing(bool on) { grad_checkpointing_ = on; }

  const ViTConfig& config() const { return config_; }
  int64_t num_prefix_tokens() const { return (config_.class_token ? 1 : 0) + config_.reg_tokens; }
  Size2d grid() const;  // patches down and across

  int64_t in_chans() const override { return config_.in_chans; }
  int64_t img_height() const override { return config_.img_size.h; }
  int64_t img_width() const override { return config_.img_size.w; }
  int64_t num_classes() const override { return config_.num_classes; }
  std::string config_json() const override { return to_json(config_); }
  std::vector<std::string> no_weight_decay() const override;

 private:
  void make_tokens(Rng& rng);
  void make_blocks(Rng& rng);
  void make_head(Rng& rng);
  void init_weights(Rng& rng);
  Variable positions_for(Size2d grid_now);
  Variable drop_patches(const Variable& tokens);
  Variable pool(const Variable& tokens);

  ViTConfig config_;
  bool grad_checkpointing_ = false;

 public:
  nn::PatchEmbed patch_embed;
  Variable cls_token, reg_token;  // undefined where the configuration has none
  Variable pos_embed;             // learned
  Tensor pos_embed_fixed;         // sin-cos; its name in checkpoints is pos_embed too
  nn::Dropout pos_drop;
  std::unique_ptr<nn::LayerNorm> norm_pre;
  nn::ModuleList<nn::EncoderBlock> blocks;
  std::unique_ptr<nn::LayerNorm> norm, fc_norm;
  nn::Dropout head_drop;
  std::unique_ptr<nn::Linear> head;
};

// Fixed position embedding of a grid, [1, h w, D]: [sin x w, cos x w, sin y w, cos y w] with w_i = 10000^(-i / (D/4 - 1)), as
// in big_vision and SimpleViT (Beyer et al., arXiv:2205.01580). Error(kValue) unless 4 divides D.
Tensor sincos2d(Size2d grid, int64_t dim);

}  // namespace vitrail::models
