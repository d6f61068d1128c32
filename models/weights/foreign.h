// Models that other programs saved: any file or folder of timm, Hugging Face, torchvision, Google, open_clip or lucidrains.
// They are read as what save_model() would have written: timm's names, a configuration, preprocessing and class names.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "models/weights/families/infer.h"
#include "models/weights/save.h"

namespace vitrail {

// Where a foreign model's parts came from.
struct Origin {
  std::string family, format, part;  // "huggingface", "safetensors", "model_ema"
  std::vector<std::string> other_parts;
  std::vector<weights::Fact> facts;
  int64_t same = 0, renamed = 0, rearranged = 0;
  std::vector<std::string> unused, unexpected;
  std::vector<std::string> not_computed;  // of the unexpected: they stand in a block or the patch embedding
};

// The weights and their description; tensors that the model does not have are listed in the origin and left out. Error(kData)
// naming the file for what is not such a model, and for such tensors if `options.strict`; Error(kValue) for what only the user
// can say (OpenOptions of save.h).
SavedModel read_foreign_model(const std::string& path, const OpenOptions& options = {});

}  // namespace vitrail
