// The configurations of all models: plain structs with visible defaults. Names and meanings are timm's where timm has them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "tensor/shape.h"

namespace vitrail::models {

// A height and a width; one number stands for a square.
struct Size2d {
  int64_t h = 0, w = 0;
  Size2d() = default;
  Size2d(int64_t side) : h(side), w(side) {}  // NOLINT: 32 is 32 x 32
  Size2d(int64_t height, int64_t width) : h(height), w(width) {}
  friend bool operator==(const Size2d&, const Size2d&) = default;
};

// Vision Transformer (Dosovitskiy et al., arXiv:2010.11929).
struct ViTConfig {
  Size2d img_size = 224;  // height x width in pixels; JSON: 224 or [height, width]
  Size2d patch_size = 16;
  int64_t in_chans = 3;
  int64_t num_classes = 1000;         // 0: no head, the model gives pooled features [B, D]
  std::string global_pool = "token";  // token (the class token), avg (mean over patches), max, avgmax (half of each)
  bool pool_include_prefix = false;   // avg, max and avgmax take class and register tokens in
  int64_t embed_dim = 768;
  int64_t depth = 12;
  int64_t num_heads = 12;
  double mlp_ratio = 4;  // hidden width of the MLP = int(embed_dim * mlp_ratio)
  bool qkv_bias = true;
  bool qk_norm = false;
  bool proj_bias = true;
  std::optional<double> init_values = std::nullopt;  // LayerScale; none: no LayerScale
  bool class_token = true;
  std::string pos_embed = "learn";  // learn, sincos2d (fixed), none (also written "")
  bool no_embed_class = false;      // positions for patches only, added before the prefix tokens are put in front
  int64_t reg_tokens = 0;           // register tokens (Darcet et al., arXiv:2309.16588)
  bool pre_norm = false;            // LayerNorm before the blocks (CLIP); the patch projection then has no bias
  bool final_norm = true;
  std::optional<bool> fc_norm = std::nullopt;  // norm after pooling instead of before; none: if global_pool is not "token"
  bool post_norm = false;                      // post-norm blocks, as in the first Transformer
  bool dynamic_img_size = false;               // accept other sizes: the position embedding is resampled on the way
  double drop_rate = 0;                        // before the head
  double pos_drop_rate = 0;
  double patch_drop_rate = 0;  // share of patches left out in training (Liu et al., arXiv:2208.07220)
  double proj_drop_rate = 0;   // after attention's projection and in the MLP
  double attn_drop_rate = 0;
  double drop_path_rate = 0;       // stochastic depth: 0 for the first block, rising linearly to this for the last
  std::string act_layer = "gelu";  // gelu, gelu_tanh, quick_gelu, relu, silu
  double norm_eps = 1e-6;
  std::string weight_init = "timm";  // timm (also ""), jax, jax_nlhb, moco, skip: models/vit_init.cpp says what each does
  bool fix_init = false;             // divides the last matrix of both branches of block i = 1, 2, ... by sqrt(2 i) (BEiT)

  friend bool operator==(const ViTConfig&, const ViTConfig&) = default;
};

// Compact Convolutional Transformer (Hassani et al., arXiv:2104.05704).
struct CctConfig {
  Size2d img_size = 32;
  int64_t in_chans = 3;
  int64_t num_classes = 10;
  int64_t embed_dim = 128;
  int64_t depth = 2;
  int64_t num_heads = 2;
  double mlp_ratio = 1;
  int64_t conv_layers = 2;          // stages of conv + ReLU + max pooling 3x3 stride 2
  int64_t conv_kernel = 3;          // odd; padding keeps the size
  int64_t conv_width = 64;          // channels of all stages but the last, which has embed_dim
  std::string pos_embed = "learn";  // learn, none
  bool qkv_bias = false;
  double drop_rate = 0;
  double attn_drop_rate = 0;
  double drop_path_rate = 0;
  double norm_eps = 1e-5;

  friend bool operator==(const CctConfig&, const CctConfig&) = default;
};

// Stages of conv3x3 + batch norm + ReLU + 2x2 max pooling, then the mean over space and a linear head.
struct CnnConfig {
  Size2d img_size = 32;
  int64_t in_chans = 3;
  int64_t num_classes = 10;
  std::vector<int64_t> widths = {32, 64, 128};
  int64_t convs_per_stage = 2;
  double drop_rate = 0;

  friend bool operator==(const CnnConfig&, const CnnConfig&) = default;
};

// Residual network for small images (He et al., arXiv:1512.03385): a 3 x 3 stem, stages of basic blocks with batch norm, each
// but the first halving the image, the mean over space, a linear head.
struct ResNetConfig {
  Size2d img_size = 32;
  int64_t in_chans = 3;
  int64_t num_classes = 10;
  std::vector<int64_t> widths = {64, 128, 256, 512};
  int64_t blocks_per_stage = 2;  // 2 with four stages: ResNet-18

  friend bool operator==(const ResNetConfig&, const ResNetConfig&) = default;
};

// Fully connected layers with an activation between them; no hidden layer makes it softmax regression.
struct MlpConfig {
  Size2d img_size = 28;
  int64_t in_chans = 1;
  int64_t num_classes = 10;
  std::vector<int64_t> hidden = {256};
  std::string act_layer = "relu";
  double drop_rate = 0;

  friend bool operator==(const MlpConfig&, const MlpConfig&) = default;
};

using ModelConfig = std::variant<ViTConfig, CctConfig, CnnConfig, MlpConfig, ResNetConfig>;

// The most memory that the weights of one model may take, in bytes of f32.
constexpr int64_t kMaxWeightBytes = int64_t{1} << 36;

// Error(kValue) naming the key, the rule and the numbers for any configuration that cannot be built; nothing is allocated.
// Bounds: sides <= 16384, embed_dim <= 65536, depth <= 1024, tokens <= 2^20, num_classes <= 2^20, weights <= max_bytes.
void validate(const ModelConfig& config, int64_t max_bytes = kMaxWeightBytes);

// Elements of all parameters, by formula (the fixed position embedding is a buffer and does not count).
int64_t parameter_count(const ModelConfig& config);

// JSON object with "architecture" (vit, cct, cnn, mlp, resnet) and every field; unset optional fields are null.
std::string to_json(const ModelConfig& config);
// Strict: Error(kValue) naming the key path for an unknown key, a wrong type, a number out of range. Missing keys keep
// their defaults; a missing "architecture" means vit. Validates the result. `where` names the source in errors.
ModelConfig config_from_json(const std::string& text, const std::string& where = "config");

}  // namespace vitrail::models
