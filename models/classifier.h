// The common base of all image classifiers.
#pragma once

#include <string>
#include <vector>

#include "models/config.h"
#include "nn/layer.h"
#include "nn/linear.h"

namespace vitrail::models {

// Images [B, C, H, W] -> logits [B, K] (or features, where num_classes is 0).
class Classifier : public nn::Layer {
 public:
  virtual int64_t in_chans() const = 0;
  virtual int64_t img_height() const = 0;
  virtual int64_t img_width() const = 0;
  virtual int64_t num_classes() const = 0;
  // The configuration as JSON text: config_from_json() of models/presets.h reads it back.
  virtual std::string config_json() const = 0;

  // What the last linear layer multiplies: images [B, C, H, W] -> [B, D]. forward(images) is last_linear() of it, or where
  // there is no such layer (num_classes is 0) the features themselves. Error(kValue) from a model that does not say what its
  // features are.
  virtual Variable pooled_features(const Variable& images);
  // The layer whose rows are classes, weight [K, D]; null where the model has none.
  virtual nn::Linear* last_linear() { return nullptr; }

  // On: keep only the input of each Transformer block for the backward pass and compute the rest again there: less memory, a
  // third more time, the same bits. False from a model that has no such blocks.
  virtual bool set_grad_checkpointing(bool) { return false; }

  // [1, C, H, W]
  Shape input_shape() const { return {1, in_chans(), img_height(), img_width()}; }

 protected:
  // Error(kShape) that names `op` and both shapes unless images is [B, C, H, W] with this model's C, H, W.
  void check_images(const char* op, const Variable& images) const;
};

// A classifier that is built from a Config, which it keeps.
template <class Config>
class ConfiguredClassifier : public Classifier {
 public:
  // Validates the configuration before anything is allocated: Error(kValue).
  explicit ConfiguredClassifier(const Config& config) : config_(validated(config)) {}

  const Config& config() const { return config_; }
  int64_t in_chans() const override { return config_.in_chans; }
  int64_t img_height() const override { return config_.img_size.h; }
  int64_t img_width() const override { return config_.img_size.w; }
  int64_t num_classes() const override { return config_.num_classes; }
  std::string config_json() const override {
    Config fields = config_;
    return fields_to_json(Config::kArchitecture, [&](FieldVisitor& visitor) { visit_fields(fields, visitor); });
  }

 protected:
  const Config config_;
};

}  // namespace vitrail::models
