// Vision Transformer (Dosovitskiy et al., arXiv:2010.11929), configurable like timm's VisionTransformer.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "models/classifier.h"
#include "nn/container.h"
#include "nn/encoder_block.h"
#include "nn/patch_embed.h"

namespace vitrail::models {

class ViT;

// Names, meanings and defaults are those of timm 1.0.31's VisionTransformer; sincos2d, post_norm and norm_eps are ours.
struct ViTConfig {
  static constexpr const char* kArchitecture = "vit";
  using Model = ViT;

  Size2d img_size = 224;  // height x width in pixels; JSON: 224 or [height, width]
  Size2d patch_size = 16;
  int64_t in_chans = 3;
  int64_t num_classes = 1000;         // 0: no head, the model gives pooled features [B, D]
  std::string global_pool = "token";  // token (the class token), avg (mean over patches), max, avgmax (half of each)
  bool pool_include_prefix = false;   // avg, max and avgmax include class and register tokens
  int64_t embed_dim = 768;
  int64_t depth = 12;
  int64_t num_heads = 12;
  double mlp_ratio = 4;  // hidden width of the MLP = int(embed_dim * mlp_ratio)
  bool qkv_bias = true;
  bool qk_norm = false;
  bool proj_bias = true;  // of attention's projection and of both layers of the MLP
  std::optional<double> init_values = std::nullopt;  // LayerScale; none: no LayerScale
  bool class_token = true;
  std::string pos_embed = "learn";  // learn, sincos2d (fixed), none (also written "")
  bool no_embed_class = false;      // positions for patches only, added before the prefix tokens are prepended
  int64_t reg_tokens = 0;           // register tokens (Darcet et al., arXiv:2309.16588)
  bool pre_norm = false;            // LayerNorm before the blocks (CLIP); the patch projection then has no bias
  bool final_norm = true;
  std::optional<bool> fc_norm = std::nullopt;  // norm after pooling instead of before; none: if global_pool is not "token"
  bool post_norm = false;                      // post-norm blocks, as in the first Transformer
  bool dynamic_img_size = false;               // accept other image sizes: the position embedding is resampled (bicubic)
  double drop_rate = 0;                        // before the head
  double pos_drop_rate = 0;                    // after adding positions; none without positions
  double patch_drop_rate = 0;  // share of patches left out in training (Liu et al., arXiv:2208.07220)
  double proj_drop_rate = 0;   // after attention's projection and in the MLP
  double attn_drop_rate = 0;
  double drop_path_rate = 0;       // stochastic depth: 0 for the first block, rising linearly to this for the last
  std::string act_layer = "gelu";  // gelu, gelu_tanh, quick_gelu, relu, silu
  double norm_eps = 1e-6;
  std::string weight_init = "timm";  // timm (also ""), jax, jax_nlhb, moco, reset, skip: models/vit_init.cpp says what each does
  bool fix_init = false;             // divides the last matrix of both branches of block i = 1, 2, ... by sqrt(2 i) (BEiT)

  friend bool operator==(const ViTConfig&, const ViTConfig&) = default;
};
// The functions that models/config.h requires of a configuration.
void visit_fields(ViTConfig& config, FieldVisitor& visitor);
void check_fields(const ViTConfig& config);
int64_t count_parameters(const ViTConfig& config);

// Token order: [cls, registers..., patches row by row]. Parameter paths are timm's keys:
//   cls_token [1, 1, D], reg_token [1, R, D], pos_embed [1, tokens, D], patch_embed.proj.*, norm_pre.*,
//   blocks.i.{norm1, attn.qkv, attn.q_norm, attn.k_norm, attn.proj, ls1, norm2, mlp.fc1, mlp.fc2, ls2}.*, norm.*, fc_norm.*,
//   head.*
// A fixed sin-cos pos_embed is a buffer.
class ViT : public ConfiguredClassifier<ViTConfig> {
 public:
  ViT(const ViTConfig& config, Rng& rng);
  ViT(const ViTConfig& config, Rng&& rng) : ViT(config, rng) {}

  // forward_head(forward_features(images)): [B, C, H, W] -> [B, K], or [B, D] where num_classes is 0.
  Variable forward(const Variable& images) override;
  // Patches, prefix tokens and positions: the input of the first block. [B, C, H, W] -> [B, T, D].
  Variable embed(const Variable& images);
  // All tokens after the last block and the final norm (unless fc_norm moves it after the pooling): [B, T, D].
  Variable forward_features(const Variable& images);
  // Pooling, fc_norm, dropout, head: [B, T, D] -> [B, K]. With pre_logits the head is left out: [B, D].
  Variable forward_head(const Variable& tokens, bool pre_logits = false);

  // While on, every block stores its attention probabilities.
  void capture_attention(bool on);
  // The probabilities [B, H, T, T] of each block in the last forward pass; empty if none were captured.
  std::vector<Tensor> attention_maps();
  bool set_grad_checkpointing(bool on) override {
    grad_checkpointing_ = on;
    return true;
  }

  int64_t num_prefix_tokens() const { return (config_.class_token ? 1 : 0) + config_.reg_tokens; }
  Size2d grid() const;  // patches vertically and horizontally
  std::vector<std::string> no_weight_decay() const override;

 private:
  void make_tokens(Rng& rng);
  void make_blocks(Rng& rng);
  void make_head(Rng& rng);
  void init_weights(Rng& rng);
  Variable positions_for(Size2d grid_now);
  Variable drop_patches(const Variable& tokens);
  Variable pool(const Variable& tokens);

  bool grad_checkpointing_ = false;

 public:
  nn::PatchEmbed patch_embed;
  Variable cls_token, reg_token;  // undefined where the configuration has none
  Variable pos_embed;             // learned
  Tensor pos_embed_fixed;         // sin-cos; also named pos_embed in checkpoints
  nn::Dropout pos_drop;
  std::unique_ptr<nn::LayerNorm> norm_pre;
  nn::ModuleList<nn::EncoderBlock> blocks;
  std::unique_ptr<nn::LayerNorm> norm, fc_norm;
  nn::Dropout head_drop;
  std::unique_ptr<nn::Linear> head;
};

// Fixed position embedding of a grid, [1, h w, D]: row (y, x) is [sin x w, cos x w, sin y w, cos y w] with w_i = 10000^(-i / (D/4 - 1)), as
// in big_vision and SimpleViT (Beyer et al., arXiv:2205.01580). Error(kValue) unless 4 divides D.
Tensor sincos2d(Size2d grid, int64_t dim);

}  // namespace vitrail::models
