#include "nn/state_dict.h"

#include <algorithm>
#include <map>
#include <optional>
#include <unordered_map>

#include "base/file.h"
#include "nn/module.h"

namespace vitrail::nn {
namespace {

constexpr size_t kShownBytes = 60;  // bytes of a key that a message shows

// A parameter or buffer under one of its names. A tied parameter has several entries with the same identity.
struct Entry {
  std::string key;
  Tensor tensor;
  const void* identity;
};

// "missing 5: a, b, c and 2 more"
template <class List, class Text>
std::string listed(const char* title, const List& list, size_t most, const Text& text) {
  if (list.empty()) return "";
  std::string result = cat(title, ' ', list.size(), ": ");
  for (size_t i = 0; i < std::min(most, list.size()); ++i) result += (i > 0 ? ", " : "") + text(list[i]);
  if (list.size() > most) result += cat(" and ", list.size() - most, " more");
  return result + ". ";
}

std::string shown(const std::string& key) { return escaped(key, kShownBytes); }

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
      report.mismatching.push_back({key, cat("given twice, as ", shown(given.original.at(key)), " and as ", shown(name))});
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

// Enters every key into the report; returns the copies to make, as pairs of target and value.
std::vector<std::pair<Tensor, Tensor>> compare(const std::vector<Entry>& own, const Given& given, LoadReport& report) {
  // LAB 4.1 BEGIN  Fill all four lists, past the first error, too. Tied names: one value is enough, two must be equal.
  std::vector<std::pair<Tensor, Tensor>> copies;
  std::unordered_map<const void*, const Entry*> filled;  // by identity: the first name that took a value
  for (const Entry& entry : own) {
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
  for (const Entry& entry : own)
    if (given.tensors.count(entry.key) == 0 && filled.count(entry.identity) == 0) report.missing.push_back(entry.key);
  for (const auto& [key, name] : given.original) {
    const bool known = std::any_of(own.begin(), own.end(), [&key = key](const Entry& entry) { return entry.key == key; });
    if (!known) report.unexpected.push_back(name);
  }
  return copies;
  // LAB 4.1 END
}

}  // namespace

std::string to_string(const LoadReport& report, size_t most) {
  const auto name = [](const std::string& key) { return shown(key); };
  const auto mismatch = [](const LoadReport::Mismatch& m) { return cat(shown(m.key), " (", m.reason, ')'); };
  std::string text = listed("missing", report.missing, most, name) + listed("unexpected", report.unexpected, most, name) +
                     listed("mismatching", report.mismatching, most, mismatch);
  text += cat("loaded ", report.loaded.size(), '.');
  return text;
}

namespace {

// The message of LoadError, with as many keys of each kind as fit, at most three.
std::string message_of(const LoadReport& differences) {
  std::string text;
  for (size_t most = 3; most >= 1; --most) {
    text = cat("[load_state_dict] the weights do not fit the model, nothing was changed: ", to_string(differences, most));
    if (text.size() <= kMaxMessage) break;
  }
  return text;
}

}  // namespace

LoadError::LoadError(LoadReport differences)
    : Error(ErrorKind::kValue, message_of(differences)),
      report(std::move(differences)) {}

StateDict Module::state_dict() {
  StateDict state;
  walk("", [&](const std::string& path, Module& module) {
    for (const auto& [name, parameter] : module.parameters_) state.emplace_back(join_path(path, name), parameter->value());
  });
  walk("", [&](const std::string& path, Module& module) {
    for (const auto& [name, buffer] : module.buffers_) state.emplace_back(join_path(path, name), *buffer);
  });
  return state;
}

LoadReport Module::load_state_dict(const StateDict& state, const LoadOptions& options) {
  std::vector<Entry> own;
  walk("", [&](const std::string& path, Module& module) {
    for (const auto& [name, parameter] : module.parameters_)
      own.push_back({join_path(path, name), parameter->value(), parameter->meta().get()});
    for (const auto& [name, buffer] : module.buffers_) own.push_back({join_path(path, name), *buffer, buffer});
  });
  LoadReport report;
  const Given given = renamed(state, options, report);
  const auto copies = compare(own, given, report);
  // LAB 4.1 BEGIN  Copy; or throw LoadError(report), before anything is copied, for a difference that is not allowed.
  const bool accepted = (options.allow_missing || report.missing.empty()) &&
                        (options.allow_unexpected || report.unexpected.empty()) &&
                        (options.allow_mismatching || report.mismatching.empty());
  if (!accepted) throw LoadError(std::move(report));
  for (const auto& [target, value] : copies) copy_(target, value);
  return report;
  // LAB 4.1 END
}

}  // namespace vitrail::nn
