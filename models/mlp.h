// An MLP on the pixels, or softmax regression: the simplest baselines.
#pragma once

#include "models/classifier.h"
#include "nn/container.h"
#include "nn/linear.h"

namespace vitrail::models {

class MlpClassifier;

// Fully connected layers with an activation between them; no hidden layer makes it softmax regression.
struct MlpConfig {
  static constexpr const char* kArchitecture = "mlp";
  using Model = MlpClassifier;

  Size2d img_size = 28;
  int64_t in_chans = 1;
  int64_t num_classes = 10;
  std::vector<int64_t> hidden = {256};
  std::string act_layer = "relu";
  double drop_rate = 0;

  friend bool operator==(const MlpConfig&, const MlpConfig&) = default;
};
// The functions that models/config.h requires of a configuration.
void visit_fields(MlpConfig& config, FieldVisitor& visitor);
void check_fields(const MlpConfig& config);
int64_t count_parameters(const MlpConfig& config);

// hidden = {} is softmax regression: one linear layer on the pixels.
class MlpClassifier : public ConfiguredClassifier<MlpConfig> {
 public:
  MlpClassifier(const MlpConfig& config, Rng& rng);
  MlpClassifier(const MlpConfig& config, Rng&& rng) : MlpClassifier(config, rng) {}
  Variable forward(const Variable& images) override;
  // The last hidden layer, after its dropout; of softmax regression the pixels.
  Variable pooled_features(const Variable& images) override;
  nn::Linear* last_linear() override { return output_; }

  nn::Sequential layers;

 private:
  nn::Linear* output_ = nullptr;  // the last of `layers`
};

}  // namespace vitrail::models
