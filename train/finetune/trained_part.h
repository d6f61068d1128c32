// Which part of a model a configuration trains (TrainConfig: trainable, freeze, freeze_until, head_epochs, lora_*).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "nn/freeze.h"
#include "nn/lora.h"
#include "train/config.h"

namespace vitrail {

// The values of TrainConfig::trainable. What is not trained is frozen (nn/freeze.h); freeze and freeze_until freeze more.
//   all      every parameter
//   head     the head alone
//   lora     low-rank updates (nn/lora.h), and the head
//   partial  the last trainable_blocks blocks, what follows them, and the head
//   bitfit   biases, norms, and the head (Ben Zaken et al., arXiv:2106.10199)
//   pattern  what trainable_pattern names
struct Trainable {
  std::string name, help;
};
const std::vector<Trainable>& trainables();

// The fields above, each for itself and against the others, without a model. Error(kValue) naming the field.
void validate_trained_part(const TrainConfig& config);
// The options of the low-rank updates; meaningful if trainable is lora.
nn::LoraOptions lora_options(const TrainConfig& config);

// Adds the low-rank updates if they are asked for and missing, and freezes what is not trained. Call it before the optimiser is
// made. Calling it again changes nothing. Error(kValue) if a pattern names nothing, if the model has other low-rank updates, no
// head or no blocks where the configuration needs them, or if nothing is left to train.
void choose_trained(nn::Module& module, const TrainConfig& config);
// Whether the configuration trains less than the whole model in each epoch.
bool trains_part(const TrainConfig& config);
// "0.30 M of 5.82 M parameters are trained (5.2 %)"
std::string trained_summary(nn::Module& module);

// choose_trained(), and the epochs in which the head is trained alone: 0 to head_epochs - 1.
class TrainedPart {
 public:
  TrainedPart(nn::Module& module, const TrainConfig& config);
  // Before the updates of an epoch, counted from 0. Returns a sentence for the user if what is trained changes, else "".
  std::string start_epoch(int64_t epoch);

 private:
  nn::Module& module_;
  int64_t head_epochs_;
  double head_rate_;                      // in those
  std::optional<nn::FrozenState> later_;  // defined while the head is trained alone
};

}  // namespace vitrail
