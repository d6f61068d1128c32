#include "nn/state_dict.h"

#include <algorithm>

#include "nn/module.h"
#include "nn/state_matching.h"

namespace vitrail::nn {

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
  std::vector<StateEntry> own;
  walk("", [&](const std::string& path, Module& module) {
    for (const auto& [name, parameter] : module.parameters_)
      own.push_back({join_path(path, name), parameter->value(), parameter->meta().get()});
    for (const auto& [name, buffer] : module.buffers_) own.push_back({join_path(path, name), *buffer, buffer});
  });
  LoadReport report;
  const auto copies = match_state(own, state, options, report);
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
