// A plain convolutional network, the baseline for a Vision Transformer.
#pragma once

#include "models/classifier.h"
#include "nn/container.h"
#include "nn/linear.h"

namespace vitrail::models {

class SimpleCnn;

// Stages of conv3x3 + batch norm + ReLU + 2x2 max pooling, then the mean over space and a linear head.
struct CnnConfig {
  static constexpr const char* kArchitecture = "cnn";
  using Model = SimpleCnn;

  Size2d img_size = 32;
  int64_t in_chans = 3;
  int64_t num_classes = 10;
  std::vector<int64_t> widths = {32, 64, 128};
  int64_t convs_per_stage = 2;
  double drop_rate = 0;

  friend bool operator==(const CnnConfig&, const CnnConfig&) = default;
};
// The functions that models/config.h requires of a configuration.
void visit_fields(CnnConfig& config, FieldVisitor& visitor);
void check_fields(const CnnConfig& config);
int64_t count_parameters(const CnnConfig& config);

class SimpleCnn : public ConfiguredClassifier<CnnConfig> {
 public:
  SimpleCnn(const CnnConfig& config, Rng& rng);
  SimpleCnn(const CnnConfig& config, Rng&& rng) : SimpleCnn(config, rng) {}
  Variable forward(const Variable& images) override;
  Variable pooled_features(const Variable& images) override;
  nn::Linear* last_linear() override { return &head; }

  nn::Sequential features;  // [B, C, H, W] -> [B, widths.back()]
  nn::Linear head;
};

}  // namespace vitrail::models
