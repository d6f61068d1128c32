// What became of every value when a state was loaded into a module.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "base/error.h"

namespace vitrail::nn {

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

// A key as messages show it: special bytes escaped, and cut if it is long.
std::string shown_key(const std::string& key);

// One line: for each kind of difference, the count and the first `most` keys.
std::string to_string(const LoadReport& report, size_t most = 3);

// The state does not fit the module; the report lists all differences. The module has not been changed.
class LoadError : public Error {
 public:
  explicit LoadError(LoadReport differences);
  LoadReport report;
};

}  // namespace vitrail::nn
