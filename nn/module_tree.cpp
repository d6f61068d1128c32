// The modules, parameters and buffers below a module, with their paths.
#include <algorithm>
#include <unordered_set>

#include "nn/module.h"

namespace vitrail::nn {

std::string join_path(const std::string& prefix, const std::string& name) {
  return prefix.empty() ? name : prefix + "." + name;
}

void Module::walk(const std::string& path, const std::function<void(const std::string&, Module&)>& visit) {
  // LAB 4.1 BEGIN  This module, then each of modules_ with all below it, in the order of registration.
  visit(path, *this);
  for (const auto& [name, child] : modules_) child->walk(join_path(path, name), visit);
  // LAB 4.1 END
}

std::vector<std::pair<std::string, Module*>> Module::named_modules() {
  std::vector<std::pair<std::string, Module*>> result;
  std::unordered_set<const Module*> seen;
  walk("", [&](const std::string& path, Module& module) {
    if (seen.insert(&module).second) result.emplace_back(path, &module);
  });
  return result;
}

std::vector<NamedParameter> Module::named_parameters() {
  // LAB 4.1 BEGIN  Every parameter of named_modules(), with its path. Copies of one Variable (tied weights) count once.
  std::vector<NamedParameter> result;
  std::unordered_set<const Meta*> seen;  // copies of one Variable share it
  for (const auto& [path, module] : named_modules()) {
    for (const auto& [name, parameter] : module->parameters_) {
      if (!parameter->defined() || seen.insert(parameter->meta().get()).second)
        result.push_back({join_path(path, name), parameter});
    }
  }
  return result;
  // LAB 4.1 END
}

std::vector<NamedBuffer> Module::named_buffers() {
  std::vector<NamedBuffer> result;
  std::unordered_set<const Tensor*> seen;
  for (const auto& [path, module] : named_modules()) {
    for (const auto& [name, buffer] : module->buffers_)
      if (seen.insert(buffer).second) result.push_back({join_path(path, name), buffer});
  }
  return result;
}

}  // namespace vitrail::nn
