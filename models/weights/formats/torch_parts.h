// Which dictionary of a torch checkpoint holds the weights: {"model": {...}, "optimizer": {...}, "epoch": 3}.
#pragma once

#include <string>
#include <vector>

#include "models/weights/formats/pickle.h"

namespace vitrail {

// Whether the node is a call that rebuilds a tensor.
bool is_torch_tensor(const Pickle& pickle, const PickleNode& node);

struct TorchPart {
  const PickleNode* tensors = nullptr;  // a dictionary
  std::string name;                     // its keys from the top, as "model" or "module.teacher"; "" for the top itself
  std::vector<std::string> others;      // of further dictionaries of tensors
};

// weights "" or "model": model, state_dict, model_state_dict, network, module, params, net, weights, or else teacher, the top
// itself, the averaged weights, or the only dictionary of tensors there is. "ema": model_ema, state_dict_ema, ema and the like;
// "teacher", "student"; else the name of a part. Dictionaries in dictionaries are looked into, three deep.
// Error(kData) if nothing holds tensors, Error(kValue) naming the parts that are there if none is the wanted one.
TorchPart choose_torch_part(const Pickle& pickle, const std::string& file, const std::string& weights);

}  // namespace vitrail
