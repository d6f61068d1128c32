// What every image classifier has in common, whatever its architecture.
#pragma once

#include <string>
#include <vector>

#include "nn/layer.h"

namespace vitrail::models {

// Images [B, C, H, W] -> logits [B, K] (or features, where num_classes is 0).
class Classifier : public nn::Layer {
 public:
  virtual int64_t in_chans() const = 0;
  virtual int64_t img_height() const = 0;
  virtual int64_t img_width() const = 0;
  virtual int64_t num_classes() const = 0;
  // The configuration as JSON text: parse_config() of models/presets.h reads it back.
  virtual std::string config_json() const = 0;

  // [1, C, H, W]
  Shape input_shape() const { return {1, in_chans(), img_height(), img_width()}; }

 protected:
  // Error(kShape) that names `op` and both shapes unless images is [B, C, H, W] with this model's C, H, W.
  void check_images(const char* op, const Variable& images) const;
};

}  // namespace vitrail::models
