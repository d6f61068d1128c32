// The architecture of foreign weights: from their shapes, and from the files beside them where shapes are silent.
#pragma once

#include <string>
#include <vector>

#include "models/vit.h"
#include "models/weights/families/sidecar.h"
#include "models/weights/families/translate.h"

namespace vitrail::weights {

// One thing that was found out, and from what.
struct Fact {
  std::string name, value, source;  // "num_heads", "4", "config.json"
};

// The name of the fact that positions were resampled, which changes what the model computes.
constexpr const char* kResampledFact = "pos_embed";
// The name of the fact that the file has a head which is left out.
constexpr const char* kHeadFact = "head";

// What the user says where the files are silent, or wrong.
struct Given {
  int64_t num_heads = 0;
  models::Size2d img_size = 0;
};

// The configuration. A sidecar that contradicts the shapes is Error(kData) naming both numbers (positions, patch, depth, ...);
// the number of heads cannot be read from shapes: without a sidecar it is width / 64 (the fact says so), or Error(kValue) if
// that is not whole. May change the weights: a class token whose position was added apart from registers takes it up (DINOv2
// with registers).
models::ViTConfig infer_config(Translation& translation, const Sidecar& sidecar, const Given& given, const std::string& source,
                               std::vector<Fact>& facts);

}  // namespace vitrail::weights
