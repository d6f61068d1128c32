// Compact Convolutional Transformer (Hassani et al., arXiv:2104.05704): a small convolutional stem instead of patches, and
// learned pooling over the sequence instead of a class token, which needs less data.
#pragma once

#include "models/classifier.h"
#include "nn/container.h"
#include "nn/encoder_block.h"

namespace vitrail::models {

class Cct;

// The defaults are those of CCT-2/3x2.
struct CctConfig {
  static constexpr const char* kArchitecture = "cct";
  using Model = Cct;

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
// The functions that models/config.h requires of a configuration.
void visit_fields(CctConfig& config, FieldVisitor& visitor);
void check_fields(const CctConfig& config);
int64_t count_parameters(const CctConfig& config);

// Parameters: tokenizer.*, pos_embed [1, N, D], blocks.i.*, norm.*, attention_pool.*, head.*. The blocks are pre-norm
// EncoderBlocks (the authors' code puts the second norm on the residual path; the parameters are the same).
class Cct : public ConfiguredClassifier<CctConfig> {
 public:
  Cct(const CctConfig& config, Rng& rng);
  Cct(const CctConfig& config, Rng&& rng) : Cct(config, rng) {}
  Variable forward(const Variable& images) override;
  Variable pooled_features(const Variable& images) override;
  nn::Linear* last_linear() override { return &head; }
  // [B, C, H, W] -> [B, N, D]
  Variable forward_features(const Variable& images);
  // softmax over the tokens of a learned score, then their weighted mean: [B, N, D] -> [B, D] (section 3.3).
  Variable pool(const Variable& tokens);
  bool set_grad_checkpointing(bool on) override {
    grad_checkpointing_ = on;
    return true;
  }

  std::vector<std::string> no_weight_decay() const override;

  nn::Sequential tokenizer;
  Variable pos_embed;
  nn::Dropout pos_drop;
  nn::ModuleList<nn::EncoderBlock> blocks;
  nn::LayerNorm norm;
  nn::Linear attention_pool;
  nn::Linear head;

 private:
  bool grad_checkpointing_ = false;
};

// The number of tokens, vertically and horizontally, that the tokenizer makes.
Size2d cct_grid(const CctConfig& config);

}  // namespace vitrail::models
