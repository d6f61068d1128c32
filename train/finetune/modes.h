// The ways to fine-tune a trained model, by their names.
#pragma once

#include <string>
#include <vector>

namespace vitrail {

struct FinetuneMode {
  std::string name;    // full, partial, lora, bitfit, probe
  std::string recipe;  // of train/recipes.h
  std::string help;    // one line: what is trained
};
// From the most trained parameters to the fewest.
const std::vector<FinetuneMode>& finetune_modes();
// Error(kValue) with the nearest name and the list of all.
const FinetuneMode& find_mode(const std::string& name);

}  // namespace vitrail
