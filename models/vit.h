// Vision Transformer (Dosovitskiy et al., arXiv:2010.11929), configurable like timm's VisionTransformer.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "models/classifier.h"
#include "nn/attention_pool.h"
#include "nn/container.h"
#include "nn/encoder_block.h"
#include "nn/patch_embed.h"

namespace vitrail::models {

class ViT;

// Names, meanings and defaults are those of timm 1.0.31's VisionTransformer; sincos2d, post_norm, norm_eps, mlp_hidden,
// head_dim, patch_bias, patch_norms, dist_token, dist_head, projection and token_avg are ours: other families need them.
struct ViTConfig {
  static constexpr const char* kArchitecture = "vit";
  using Model = ViT;

  Size2d img_size = 224;  // height x width in pixels; JSON: 224 or [height, width]
  Size2d patch_size = 16;
  int64_t in_chans = 3;
  int64_t num_classes = 1000;  // 0: no head, the model gives pooled features [B, D]
  // token (the class token), avg (mean over patches), max, avgmax (half of each), map (attention pooling: nn/attention_pool.h),
  // token_avg (class token and mean over patches side by side, 2 D wide: DINOv2's classifier)
  std::string global_pool = "token";
  bool pool_include_prefix = false;  // avg, max, avgmax and map include the tokens before the patches
  int64_t embed_dim = 768;
  int64_t depth = 12;
  int64_t num_heads = 12;
  int64_t head_dim = 0;    // width of a head; 0: embed_dim / num_heads
  double mlp_ratio = 4;    // hidden width of the MLP = int(embed_dim * mlp_ratio), unless
  int64_t mlp_hidden = 0;  // it is given here: a ratio cannot express every width
  bool qkv_bias = true;
  bool qk_norm = false;
  bool proj_bias = true;                             // of attention's projection and of both layers of the MLP
  std::optional<double> init_values = std::nullopt;  // LayerScale; none: no LayerScale
  std::optional<bool> patch_bias = std::nullopt;     // of the patch projection; none: unless pre_norm
  bool patch_norms = false;                          // layer norms before and behind the patch projection (lucidrains)
  bool class_token = true;
  bool dist_token = false;          // DeiT's distillation token, behind the class token (Touvron et al., arXiv:2012.12877)
  bool dist_head = false;           // its own head: in evaluation the logits are the mean of both heads'
  std::string pos_embed = "learn";  // learn, sincos2d (fixed), none (also written "")
  bool no_embed_class = false;      // positions for patches only, added before the prefix tokens are prepended
  int64_t reg_tokens = 0;           // register tokens (Darcet et al., arXiv:2309.16588)
  bool pre_norm = false;            // LayerNorm before the blocks (CLIP)
  bool final_norm = true;
  std::optional<bool> fc_norm =
      std::nullopt;               // norm after pooling instead of before; none: if global_pool is avg, max or avgmax
  bool post_norm = false;         // post-norm blocks, as in the first Transformer
  int64_t projection = 0;         // CLIP: width of embedding(), a linear map without bias; 0: none
  bool dynamic_img_size = false;  // accept other image sizes: the position embedding is resampled (bicubic)
  double drop_rate = 0;           // before the head
  double pos_drop_rate = 0;       // after adding positions; none without positions
  double patch_drop_rate = 0;     // share of patches left out in training (Liu et al., arXiv:2208.07220)
  double proj_drop_rate = 0;      // after attention's projection and in the MLP
  double attn_drop_rate = 0;
  double drop_path_rate = 0;       // stochastic depth: 0 for the first block, rising linearly to this for the last
  std::string act_layer = "gelu";  // gelu, gelu_tanh, quick_gelu, relu, silu
  double norm_eps = 1e-6;
  std::string weight_init =
      "timm";             // timm (also ""), jax, jax_nlhb, moco, reset, skip: models/vit_init.cpp says what each does
  bool fix_init = false;  // divides the last matrix of both branches of block i = 1, 2, ... by sqrt(2 i) (BEiT)

  friend bool operator==(const ViTConfig&, const ViTConfig&) = default;
};
// The functions that models/config.h requires of a configuration.
void visit_fields(ViTConfig& config, FieldVisitor& visitor);
void check_fields(const ViTConfig& config);
int64_t count_parameters(const ViTConfig& config);
// Hidden width of the MLP, width of all heads together, tokens before the patches, width of what the head multiplies.
int64_t mlp_width(const ViTConfig& config);
int64_t attention_width(const ViTConfig& config);
int64_t prefix_tokens(const ViTConfig& config);
int64_t pooled_width(const ViTConfig& config);
bool has_patch_bias(const ViTConfig& config);

// Token order: [cls, dist, registers..., patches row by row]. Parameter paths are timm's keys:
//   cls_token [1, 1, D], dist_token [1, 1, D], reg_token [1, R, D], pos_embed [1, tokens, D], patch_embed.{proj, norm_in,
//   norm_out}.*, norm_pre.*,   blocks.i.{norm1, attn.qkv, attn.q_norm, attn.k_norm, attn.proj, ls1, norm2, mlp.fc1, mlp.fc2,
//   ls2}.*, norm.*, attn_pool.*, fc_norm.*, head.*, head_dist.*, projection.weight
// A fixed sin-cos pos_embed is a buffer.
class ViT : public ConfiguredClassifier<ViTConfig> {
 public:
  ViT(const ViTConfig& config, Rng& rng);
  ViT(const ViTConfig& config, Rng&& rng) : ViT(config, rng) {}

  // forward_head(forward_features(images)): [B, C, H, W] -> [B, K], or [B, D] where num_classes is 0.
  Variable forward(const Variable& images) override;
  // forward_head(forward_features(images), true)
  Variable pooled_features(const Variable& images) override;
  // Null too for a distilled model, whose logits are the mean of two heads.
  nn::Linear* last_linear() override { return head_dist ? nullptr : head.get(); }
  HeadLogits head_logits(const Variable& images) override;

  // Stage i of 1 to depth ends behind block i, stage depth + 1 with the pooled features.
  int64_t fixed_stages() override;
  Variable run_stages(const Variable& images, int64_t stages) override;
  Variable finish(const Variable& x, int64_t stages) override;
  std::string describe_stages(int64_t stages) const override;

  // Patches, prefix tokens and positions: the input of the first block. [B, C, H, W] -> [B, T, D].
  Variable embed(const Variable& images);
  // All tokens after the last block and the final norm (unless fc_norm moves it after the pooling): [B, T, D].
  Variable forward_features(const Variable& images);
  // Pooling, fc_norm, dropout, head: [B, T, D] -> [B, K]. With pre_logits the heads are left out: [B, D], or [B, 2 D] for
  // token_avg.
  Variable forward_head(const Variable& tokens, bool pre_logits = false);

  // The class token's place in the space that CLIP shares with texts, projection(pooled): [B, C, H, W] -> [B, E]. Error(kValue)
  // without a projection.
  Variable embedding(const Variable& images);

  // While on, every block stores its attention probabilities.
  void capture_attention(bool on);
  // The probabilities [B, H, T, T] of each block in the last forward pass; empty if none were captured.
  std::vector<Tensor> attention_maps();
  bool set_grad_checkpointing(bool on) override {
    grad_checkpointing_ = on;
    return true;
  }

  int64_t num_prefix_tokens() const { return prefix_tokens(config_); }
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
  bool embedding_fixed();
  Variable run_blocks(Variable x, int64_t first, int64_t last);

  bool grad_checkpointing_ = false;

 public:
  nn::PatchEmbed patch_embed;
  Variable cls_token, dist_token, reg_token;  // undefined where the configuration has none
  Variable pos_embed;                         // learned
  Tensor pos_embed_fixed;                     // sin-cos; also named pos_embed in checkpoints
  nn::Dropout pos_drop;
  std::unique_ptr<nn::LayerNorm> norm_pre;
  nn::ModuleList<nn::EncoderBlock> blocks;
  std::unique_ptr<nn::LayerNorm> norm, fc_norm;
  std::unique_ptr<nn::AttentionPool> attn_pool;
  nn::Dropout head_drop;
  std::unique_ptr<nn::Linear> head, head_dist, projection;
};

// Fixed position embedding of a grid, [1, h w, D]: row (y, x) is [sin x w, cos x w, sin y w, cos y w] with w_i = 10000^(-i /
// (D/4 - 1)), as in big_vision and SimpleViT (Beyer et al., arXiv:2205.01580). Error(kValue) unless 4 divides D.
Tensor sincos2d(Size2d grid, int64_t dim);

}  // namespace vitrail::models
