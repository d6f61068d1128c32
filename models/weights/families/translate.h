// The tensors of a foreign file under our names.
#pragma once

#include <string>
#include <vector>

#include "models/config.h"
#include "nn/state_dict.h"

namespace vitrail::weights {

struct Translation {
  std::string family;      // "timm", "huggingface", "huggingface-clip", "torchvision", "open_clip", "flax", "lucidrains"
  std::string prefix;      // of the image tower's names: "vit."
  nn::StateDict weights;   // under timm's names, f32
  int64_t num_heads = 0;   // where a shape tells it (Flax), else 0
  int64_t same = 0;        // tensors of the file that kept name and layout
  int64_t renamed = 0;     // that changed their name alone (or became a part of one of ours)
  int64_t rearranged = 0;  // that changed their layout too
  std::vector<std::string> unused;      // by the file's names: known parts that an image classifier does not need
  std::vector<std::string> unexpected;  // names that the family does not have
  // The head reads tanh(pre_logits(x)), the representation layer of Google's and torchvision's pre-training, which this ViT
  // does not compute: it is left out, and listed as unexpected. Not where it is all zero.
  bool pre_logits = false;
};

// Whether translate() would find a family.
bool knows_names(const std::vector<std::string>& names);

// Finds the family by the names. Error(kData) if no family fits, naming tensors that were found; if two tensors of the file are
// one of ours, or a part of one of ours (k of q, k, v) is missing. `source` names the file in messages.
Translation translate(const nn::StateDict& tensors, const std::string& source);

}  // namespace vitrail::weights
