// The values of a module by their dotted paths, and the report of loading such values into a module.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
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

// What happened to every key; all differences are listed, not only the first.
struct LoadReport {
  struct Mismatch {
    std::string key;
    std::string reason;  // "model [2, 3], given [2, 4]"
  };
  std::vector<std::string> loaded;      // keys of the module that took a value
  std::vector<std::string> missing;     // keys of the module that the state does not hold
  std::vector<std::string> unexpected;  // keys of the state, by its own names, that the module does not have
  std::vector<Mismatch> mismatching;    // keys of the module whose tensor in the state does not fit

  // Nothing is missing, unexpected or mismatching.
  bool complete() const { return missing.empty() && unexpected.empty() && mismatching.empty(); }
};

// One line: for each kind of difference, the count and the first `most` keys.
std::string to_string(const LoadReport& report, size_t most = 3);

// The state does not fit the module; the report lists all differences. The module has not been changed.
class LoadError : public Error {
 public:
  explicit LoadError(LoadReport differences);
  LoadReport report;
};

}  // namespace vitrail::nn
