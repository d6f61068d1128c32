// Named recipes: whole configurations of training runs that are known to work, from which a user changes single fields.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "models/presets.h"
#include "train/config.h"

namespace vitrail {

// What a recipe is chosen for.
struct RecipeInput {
  const DatasetInfo& data;
  int64_t parameters = 0;  // of the model, where training starts from one that is trained; 0: none
  bool new_head = true;    // its head knows none of the classes
};

struct Recipe {
  std::string name;
  std::string help;         // one line
  std::string source;       // where its values were published
  bool from_model = false;  // starts from a trained model (`vitrail train --init`)
  TrainConfig (*config)(const RecipeInput&) = nullptr;
  // The model as JSON, for pictures of this size; "": the data set's usual one, or the trained model's own.
  std::string (*model)(const DatasetInfo&) = nullptr;
};

// In the order in which to try them.
const std::vector<Recipe>& recipes();
// Error(kValue) with the nearest name and the list of all.
const Recipe& find_recipe(const std::string& name);
// Colour pictures of 32 x 32 in ten classes, for showing the values of a recipe.
DatasetInfo example_pictures();
// A Markdown table of their values for example_pictures(): docs/training.md.
std::string recipe_table();

// The patch side of a small Transformer for such pictures: the largest that divides both sides and leaves at least 49 tokens
// (below 64 pixels a side) or 144: fewer do not learn well (vit.md, section 3.1). 1 where no side has such a divisor.
int64_t patch_for(int64_t height, int64_t width);

// Images per update for a set of so many: the largest power of two from 8 to 128 with which an epoch has at least ten updates;
// 8 for the smallest sets. A run of few updates learns little, whatever they cost.
int64_t batch_for(int64_t images);

// recipe_for(), where the pictures are files with a batch for their number: drawn and public sets are large, and keep the batch
// of their published results.
TrainConfig recipe_for(const Dataset& train);

// The configuration with stochastic depth as TrainConfig::drop_path says, where that is not 0. Error(kValue) for a model
// without blocks.
models::ModelConfig with_drop_path(models::ModelConfig model, double drop_path);

}  // namespace vitrail
