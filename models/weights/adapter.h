// What parameter-efficient training adds to a model, in a file of kilobytes: the low-rank updates, the head, and the card that
// a model's weights are never separated from. The model that was trained from stays where it is; the file knows its weights by
// a hash, so that the updates are never added to another model, whose logits would be wrong without a word.
#pragma once

#include <functional>
#include <string>

#include "models/weights/save.h"
#include "nn/lora.h"

namespace vitrail {

// Beside model.safetensors, which holds the updates merged.
constexpr const char* kAdapterFile = "adapter.safetensors";

struct Adapter {
  nn::LoraOptions options;
  nn::StateDict tensors;     // by the model's paths: the updates (nn/lora.h), the head, and what else was trained
  std::string base;          // what the base was called, for messages
  std::string base_hash;     // weights_hash() of the base, without what `tensors` replaces; "": not known
  std::string architecture;  // of the whole, with its own classes: JSON text
  ModelCard card;
  std::string file;  // that was read, for messages
};

// A hash of all names, dtypes, shapes and bits but those of the tensors that `without` names, in any order of the state: FNV-1a
// with 64 bits over the CRC-32C of each tensor. 16 hexadecimal digits.
std::string weights_hash(const nn::StateDict& state, const std::function<bool(const std::string& key)>& without);

// The updates of the model, and the other parameters that `own` names. Error(kValue) if the model has no updates or they are
// merged.
Adapter make_adapter(models::Classifier& model, const ModelCard& card, const std::function<bool(const std::string& path)>& own,
                     const std::string& base);
// Writes a file atomically. Error(kNumeric) if a tensor is not finite, Error(kIo) if the file system refuses.
void save_adapter(const std::string& path, const Adapter& adapter);
// Reads such a file. Error(kData) naming file and rule if it is damaged or no adapter.
Adapter read_adapter(const std::string& path);

// The base with the adapter's head and its updates, unmerged (nn::merge_lora() makes it plain). Error(kValue) naming both if
// the base's weights are not those that the adapter was trained on; Error(kData) naming the file if its tensors do not fit its
// own architecture.
LoadedModel apply_adapter(const Adapter& adapter, const SavedModel& base);

}  // namespace vitrail
