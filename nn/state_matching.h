// Which tensor of a given state goes where in a module.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "nn/state_dict.h"

namespace vitrail::nn {

// A parameter or buffer under one of its names. A tied parameter has several entries with the same identity.
struct StateEntry {
  std::string key;
  Tensor tensor;
  const void* identity;
};

// Compares a module's own entries with a given state: enters every key into the report; returns the copies to make, as pairs of
// target and value. Nothing is copied.
std::vector<std::pair<Tensor, Tensor>> match_state(const std::vector<StateEntry>& own, const StateDict& state,
                                                   const LoadOptions& options, LoadReport& report);

}  // namespace vitrail::nn
