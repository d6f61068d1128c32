// The space of a hyper-parameter search: which fields of the recipe vary, and over what.
//
//   {"lr": {"log": [1e-4, 1e-2]}, "optimizer": ["adamw", "muon"], "weight_decay": {"uniform": [0, 0.1]},
//    "batch_size": {"int": [32, 256]}}
//
// A list: each of its values is equally likely. {"uniform": [a, b]}: a number of [a, b]. {"log": [a, b]}, 0 < a: its logarithm
// is uniform; a field that takes whole numbers gets one. {"int": [a, b]}: a whole number from a to b, both included.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "train/config.h"

namespace vitrail::search {

enum class DimensionKind { kChoice, kUniform, kLog, kInteger };

struct Dimension {
  std::string key;  // of TrainConfig
  DimensionKind kind = DimensionKind::kChoice;
  double low = 0, high = 0;
  bool whole = false;                  // kLog: rounded to whole numbers
  std::vector<std::string> choices{};  // kChoice: values as text, as set_field() takes them
};

// By key, ascending: the order in the file does not matter.
using Space = std::vector<Dimension>;

// Values of fields as text, by key.
using Values = std::vector<std::pair<std::string, std::string>>;

// Every end of a range and every choice is tried on `fixed`, the configuration that holds for what does not vary. Error(kValue)
// naming `where` and the key for a field that is not one of the recipe (with the nearest that is), for one that the search sets
// itself (epochs, max_steps, eval_every, patience), for values that the field does not take, and for ranges that are empty.
Space read_space(const std::string& json, const std::string& where, const TrainConfig& fixed);

// The values of trial number `trial`: a function of (seed, trial, space) alone (random search: Bergstra and Bengio, "Random
// Search for Hyper-Parameter Optimization", JMLR 2012). Numbers have four significant digits, so that they can be read and
// typed.
Values draw(const Space& space, uint64_t seed, int64_t trial);

// The configuration with these values. Error(kValue) if they do not go together.
TrainConfig with_values(TrainConfig config, const Values& values);

// "lr 0.003, optimizer muon"
std::string describe(const Values& values);

}  // namespace vitrail::search
