// Named configurations, and the factory that turns a name or a JSON text into a model.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "models/classifier.h"
#include "models/config.h"

namespace vitrail::models {

struct Preset {
  std::string name;         // vit_tiny_patch16_224, vit_fashion, cct_2_3x2, ...
  std::string description;  // one line
  ModelConfig config;
};

// All presets, largest family first; in a fixed order.
const std::vector<Preset>& presets();
// Error(kValue) with the nearest name ("Did you mean ...?") and the list of all.
const Preset& find_preset(const std::string& name);

// What the data dictates; unset values (0, or -1 classes) keep those of the configuration.
struct DataShape {
  int64_t in_chans = 0, img_height = 0, img_width = 0, num_classes = -1;
};
ModelConfig adapted(ModelConfig config, const DataShape& data);

// Validates and builds.
std::unique_ptr<Classifier> make_model(const ModelConfig& config, Rng& rng);
// The name of a preset, or JSON text (anything that starts with '{').
ModelConfig parse_config(const std::string& preset_or_json);
std::unique_ptr<Classifier> make_model(const std::string& preset_or_json, Rng& rng, const DataShape& data = {});

}  // namespace vitrail::models
