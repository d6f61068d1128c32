// The values of a module by their dotted paths, and how such values are loaded into a module.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "nn/load_report.h"
#include "tensor/tensor.h"

namespace vitrail::nn {

using StateDict = std::vector<std::pair<std::string, Tensor>>;  // in registration order

// How Module::load_state_dict treats a state that is not exactly the module's own. By default every difference is an error.
struct LoadOptions {
  // The module's key for a key of the state: for checkpoints that use other names. "" leaves the tensor out.
  std::function<std::string(const std::string& key)> rename{};
  bool allow_missing = false;      // parameters that the state does not hold keep their values
  bool allow_unexpected = false;   // tensors that the module does not have are ignored
  bool allow_mismatching = false;  // tensors of another shape are ignored (a head for other classes)
};

}  // namespace vitrail::nn
