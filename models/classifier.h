// The common base of all image classifiers.
#pragma once

#include <string>
#include <vector>

#include "models/config.h"
#include "nn/layer.h"
#include "nn/linear.h"

namespace vitrail::models {

// Logits [B, K] of a model's heads, each for itself. `teacher`: of the head on the distillation token, which learns from a
// teacher (Touvron et al., arXiv:2012.12877); undefined in a model with one head.
struct HeadLogits {
  Variable label, teacher;
};

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
  // Of two heads the answers are not averaged, as forward() does.
  virtual HeadLogits head_logits(const Variable& images) { return {(*this)(images), {}}; }

  // The forward pass as stages one after another: finish(run_stages(images, n), n) is forward(images). The results of the first
  // fixed_stages() stages may be kept: no parameter there is trained, and nothing is random. Most models have one stage, all
  // but last_linear(); a ViT has one for each block and one more for what is between the blocks and the head.
  virtual int64_t fixed_stages();
  virtual Variable run_stages(const Variable& images, int64_t stages);
  virtual Variable finish(const Variable& x, int64_t stages);
  // "the embedding and 2 of 12 blocks", "all but the head"
  virtual std::string describe_stages(int64_t stages) const;

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
