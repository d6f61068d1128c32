#include "nn/module.h"

#include <algorithm>
#include <map>
#include <sstream>

#include "base/error.h"

namespace vitrail::nn {
namespace {

std::string joined(const std::string& prefix, const std::string& name) { return prefix.empty() ? name : prefix + "." + name; }

}  // namespace

void Module::check_name(const std::string& name) const {
  check(!name.empty(), ErrorKind::kValue, "module", "a name must not be empty");
  check(name.find('.') == std::string::npos, ErrorKind::kValue, "module",
        "a name must not contain a dot, dots join the path: name is ", name);
  const auto taken = [&](const auto& list) {
    return std::any_of(list.begin(), list.end(), [&](const auto& entry) { return entry.first == name; });
  };
  check(!taken(parameters_) && !taken(buffers_) && !taken(modules_), ErrorKind::kValue, "module",
        "the name is taken in this module: name is ", name);
}

void Module::register_parameter(const std::string& name, Variable& parameter) {
  check_name(name);
  parameters_.emplace_back(name, &parameter);
}

void Module::register_buffer(const std::string& name, Tensor& buffer) {
  check_name(name);
  buffers_.emplace_back(name, &buffer);
}

void Module::register_module(const std::string& name, Module& module) {
  check_name(name);
  modules_.emplace_back(name, &module);
}

std::vector<std::pair<std::string, Module*>> Module::named_modules() {
  std::vector<std::pair<std::string, Module*>> result{{"", this}};
  for (const auto& [name, child] : modules_) {
    for (const auto& [path, module] : child->named_modules())
      result.emplace_back(path.empty() ? name : joined(name, path), module);
  }
  return result;
}

std::vector<NamedParameter> Module::named_parameters() {
  std::vector<NamedParameter> result;
  for (const auto& [path, module] : named_modules()) {
    for (const auto& [name, parameter] : module->parameters_) result.push_back({joined(path, name), parameter});
  }
  return result;
}

std::vector<NamedBuffer> Module::named_buffers() {
  std::vector<NamedBuffer> result;
  for (const auto& [path, module] : named_modules()) {
    for (const auto& [name, buffer] : module->buffers_) result.push_back({joined(path, name), buffer});
  }
  return result;
}

void Module::train(bool on) {
  for (const auto& entry : named_modules()) entry.second->training_ = on;
}

int64_t Module::num_parameters() {
  int64_t count = 0;
  for (const NamedParameter& p : named_parameters()) count += p.parameter->numel();
  return count;
}

void Module::zero_grad() {
  for (const NamedParameter& p : named_parameters()) p.parameter->zero_grad();
}

void Module::to(Dtype dtype) {
  check(is_float(dtype), ErrorKind::kValue, "module", "parameters are f32 or f64: asked for ", name_of(dtype));
  for (const NamedParameter& p : named_parameters()) {
    p.parameter->zero_grad();
    p.parameter->set_value(vitrail::to(p.parameter->value(), dtype));
  }
  for (const NamedBuffer& b : named_buffers()) {
    if (is_float(b.buffer->dtype())) *b.buffer = vitrail::to(*b.buffer, dtype);
  }
}

StateDict Module::state_dict() {
  StateDict state;
  for (const NamedParameter& p : named_parameters()) state.emplace_back(p.name, p.parameter->value());
  for (const NamedBuffer& b : named_buffers()) state.emplace_back(b.name, *b.buffer);
  return state;
}

void Module::load_state_dict(const StateDict& state) {
  const StateDict own = state_dict();
  std::map<std::string, Tensor> given(state.begin(), state.end());
  std::ostringstream missing, differing, unexpected;
  for (const auto& [name, tensor] : own) {
    const auto found = given.find(name);
    if (found == given.end()) {
      missing << ' ' << name;
    } else if (found->second.shape() != tensor.shape() || is_float(found->second.dtype()) != is_float(tensor.dtype())) {
      differing << ' ' << name << " (model " << tensor.shape() << ", file " << found->second.shape() << ')';
    }
  }
  for (const auto& [name, tensor] : state) {
    const bool known = std::any_of(own.begin(), own.end(), [&name = name](const auto& entry) { return entry.first == name; });
    if (!known) unexpected << ' ' << name;
  }
  const auto part = [](const char* title, const std::ostringstream& names) {
    return names.str().empty() ? "" : cat(title, names.str(), ". ");
  };
  const std::string problems = part("Missing:", missing) + part("Unexpected:", unexpected) + part("Other shapes:", differing);
  check(problems.empty() && given.size() == own.size(), ErrorKind::kValue, "load_state_dict",
        "the weights do not fit the model, nothing was loaded. ", problems, problems.empty() ? "A name is given twice." : "");
  for (const auto& [name, tensor] : own) copy_(tensor, given.at(name));
}

}  // namespace vitrail::nn
