// What a Vision Transformer has to beat: a convolutional network, an MLP, softmax regression.
#pragma once

#include "models/classifier.h"
#include "models/config.h"
#include "nn/container.h"
#include "nn/linear.h"

namespace vitrail::models {

class SimpleCnn : public Classifier {
 public:
  SimpleCnn(const CnnConfig& config, Rng& rng);
  Variable forward(const Variable& images) override;

  int64_t in_chans() const override { return config_.in_chans; }
  int64_t img_height() const override { return config_.img_size.h; }
  int64_t img_width() const override { return config_.img_size.w; }
  int64_t num_classes() const override { return config_.num_classes; }
  std::string config_json() const override { return to_json(config_); }

 private:
  CnnConfig config_;

 public:
  nn::Sequential features;  // [B, C, H, W] -> [B, widths.back()]
  nn::Linear head;
};

// hidden = {} is softmax regression: one linear layer on the pixels.
class MlpClassifier : public Classifier {
 public:
  MlpClassifier(const MlpConfig& config, Rng& rng);
  Variable forward(const Variable& images) override;

  int64_t in_chans() const override { return config_.in_chans; }
  int64_t img_height() const override { return config_.img_size.h; }
  int64_t img_width() const override { return config_.img_size.w; }
  int64_t num_classes() const override { return config_.num_classes; }
  std::string config_json() const override { return to_json(config_); }

 private:
  MlpConfig config_;

 public:
  nn::Sequential layers;
};

}  // namespace vitrail::models
