// Compact Convolutional Transformer (Hassani et al., arXiv:2104.05704): a small convolutional stem instead of patches, and
// learned pooling over the sequence instead of a class token. Learns from little data.
#pragma once

#include "models/classifier.h"
#include "models/config.h"
#include "nn/container.h"
#include "nn/encoder_block.h"

namespace vitrail::models {

// Parameters: tokenizer.*, pos_embed [1, N, D], blocks.i.*, norm.*, attention_pool.*, head.*. The blocks are pre-norm
// EncoderBlocks (the authors' code puts the second norm on the residual path; the parameters are the same).
class Cct : public Classifier {
 public:
  Cct(const CctConfig& config, Rng& rng);
  Variable forward(const Variable& images) override;
  // [B, C, H, W] -> [B, N, D]
  Variable forward_features(const Variable& images);
  // softmax over the tokens of a learned score, then their weighted mean: [B, N, D] -> [B, D] (section 3.3).
  Variable pool(const Variable& tokens);

  const CctConfig& config() const { return config_; }
  int64_t in_chans() const override { return config_.in_chans; }
  int64_t img_height() const override { return config_.img_size.h; }
  int64_t img_width() const override { return config_.img_size.w; }
  int64_t num_classes() const override { return config_.num_classes; }
  std::string config_json() const override { return to_json(config_); }
  std::vector<std::string> no_weight_decay() const override;

 private:
  CctConfig config_;

 public:
  nn::Sequential tokenizer;
  Variable pos_embed;
  nn::Dropout pos_drop;
  nn::ModuleList<nn::EncoderBlock> blocks;
  nn::LayerNorm norm;
  nn::Linear attention_pool;
  nn::Linear head;
};

// The number of tokens down and across that the tokenizer makes.
Size2d cct_grid(const CctConfig& config);

}  // namespace vitrail::models
