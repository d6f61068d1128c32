#include "nn/state_matching.h"

#include <algorithm>
#include <map>
#include <optional>
#include <unordered_map>

namespace vitrail::nn {
namespace {

// The given tensors by the module's keys. Two tensors with the same key are a mismatch.
struct Given {
  std::map<std::string, Tensor> tensors;
  std::map<std::string, std::string> original;  // the state's own name for a key
};

Given renamed(const StateDict& state, const LoadOptions& options, LoadReport& report) {
  Given given;
  for (const auto& [name, tensor] : state) {
    const std::string key = options.rename ? options.rename(name) : name;
    if (key.empty()) continue;
    if (given.tensors.emplace(key, tensor).second) {
      given.original.emplace(key, name);
    } else {
      report.mismatching.push_back(
          {key, cat("given twice, as ", shown_key(given.original.at(key)), " and as ", shown_key(name))});
    }
  }
  return given;
}

// The reason why `given` cannot be copied into `own`; nothing if it can.
std::optional<std::string> misfit(const Tensor& own, const Tensor& given) {
  if (own.shape() != given.shape()) return cat("model ", own.shape(), ", given ", given.shape());
  if (is_float(own.dtype()) != is_float(given.dtype()))
    return cat("model ", name_of(own.dtype()), ", given ", name_of(given.dtype()));
  return std::nullopt;
}

}  // namespace

std::vector<std::pair<Tensor, Tensor>> match_state(const std::vector<StateEntry>& own, const StateDict& state,
                                                   const LoadOptions& options, LoadReport& report) {
  const Given given = renamed(state, options, report);
  // LAB 4.1 BEGIN  Fill all four lists, past the first error, too. Tied names: one value is enough, two must be equal.
  std::vector<std::pair<Tensor, Tensor>> copies;
  std::unordered_map<const void*, const StateEntry*> filled;  // by identity: the first name that took a value
  for (const StateEntry& entry : own) {
    const auto found = given.tensors.find(entry.key);
    if (found == given.tensors.end()) continue;
    const Tensor& tensor = found->second;
    if (const auto reason = misfit(entry.tensor, tensor)) {
      report.mismatching.push_back({entry.key, *reason});
      continue;
    }
    const auto [first, fresh] = filled.emplace(entry.identity, &entry);
    const std::string& first_key = first->second->key;
    if (!fresh && !bit_equal(given.tensors.at(first_key), tensor)) {
      report.mismatching.push_back({entry.key, cat("tied to ", first_key, ", given with other values")});
      continue;
    }
    report.loaded.push_back(entry.key);
    if (fresh) copies.emplace_back(entry.tensor, tensor);
  }
  // A tied parameter is not missing if one of its names has a value.
  for (const StateEntry& entry : own)
    if (given.tensors.count(entry.key) == 0 && filled.count(entry.identity) == 0) report.missing.push_back(entry.key);
  for (const auto& [key, name] : given.original) {
    const bool known = std::any_of(own.begin(), own.end(), [&key = key](const StateEntry& entry) { return entry.key == key; });
    if (!known) report.unexpected.push_back(name);
  }
  return copies;
  // LAB 4.1 END
}

}  // namespace vitrail::nn
