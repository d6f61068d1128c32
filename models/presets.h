// Every architecture, every named configuration, and the factory that turns a name or a JSON text into a model.
//
// To add an architecture: write models/NAME.h and .cpp (models/config.h says what a configuration needs, models/mlp.h is the
// shortest example), then name its configuration in ModelConfig below, and its presets in models/presets.cpp.
#pragma once

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "models/cct.h"
#include "models/cnn.h"
#include "models/mlp.h"
#include "models/resnet.h"
#include "models/vit.h"

namespace vitrail::models {

using ModelConfig = std::variant<ViTConfig, CctConfig, CnnConfig, MlpConfig, ResNetConfig>;

// Error(kValue) naming the key, the rule and the numbers for any configuration that cannot be built; nothing is allocated.
// Bounds: sides <= 16384, embed_dim <= 65536, depth <= 1024, tokens <= 2^20, num_classes <= 2^20, weights <= max_bytes.
void validate(const ModelConfig& config, int64_t max_bytes = kMaxWeightBytes);
// Elements of all parameters, by formula (the fixed position embedding is a buffer and does not count).
int64_t parameter_count(const ModelConfig& config);

// vit, cct, cnn, mlp, resnet
const char* architecture_of(const ModelConfig& config);
// JSON object with "architecture" and every field; unset optional fields are null.
std::string to_json(const ModelConfig& config);
// Strict: Error(kValue) naming the key path for an unknown key, a wrong type, a number out of range. Missing keys keep
// their defaults; a missing "architecture" means vit. Validates the result. `where` names the source in errors.
ModelConfig config_from_json(const std::string& text, const std::string& where = "config");

struct Preset {
  std::string name;         // vit_tiny_patch16_224, vit_fashion, cct_2_3x2, ...
  std::string description;  // one line
  ModelConfig config;
};

// All presets, largest family first; in a fixed order.
const std::vector<Preset>& presets();
// Error(kValue) with the nearest name ("Did you mean ...?") and the list of all.
const Preset& find_preset(const std::string& name);

// The sizes that the data determines. Unset values (0, or -1 classes) keep those of the configuration.
struct DataShape {
  int64_t in_chans = 0, img_height = 0, img_width = 0, num_classes = -1;
};
ModelConfig adapted(ModelConfig config, const DataShape& data);

// Validates and builds.
std::unique_ptr<Classifier> make_model(const ModelConfig& config, Rng& rng);
// The name of a preset, or JSON text (anything that starts with '{').
ModelConfig parse_config(const std::string& preset_or_json);
std::unique_ptr<Classifier> make_model(const std::string& preset_or_json, Rng& rng, const DataShape& data = {});
// The same from a temporary: make_model("vit_fashion", Rng(1)).
inline std::unique_ptr<Classifier> make_model(const ModelConfig& config, Rng&& rng) { return make_model(config, rng); }
inline std::unique_ptr<Classifier> make_model(const std::string& preset_or_json, Rng&& rng, const DataShape& data = {}) {
  return make_model(preset_or_json, rng, data);
}

}  // namespace vitrail::models
