#include "nn/module.h"

#include <algorithm>

#include "base/error.h"
#include "base/file.h"

namespace vitrail::nn {

void Module::check_name(const std::string& name) const {
  check(!name.empty(), ErrorKind::kValue, "module", "a name must not be empty");
  check(name.find('.') == std::string::npos, ErrorKind::kValue, "module",
        "a name must not contain a dot, dots join the path: name is ", escaped(name, 60));
  const auto taken = [&](const auto& list) {
    return std::any_of(list.begin(), list.end(), [&](const auto& entry) { return entry.first == name; });
  };
  check(!taken(parameters_) && !taken(buffers_) && !taken(modules_), ErrorKind::kValue, "module",
        "the name is taken in this module: name is ", escaped(name, 60));
}

void Module::register_parameter(const std::string& name, Variable& parameter) {
  check_name(name);
  parameters_.emplace_back(name, &parameter);
}

void Module::register_buffer(const std::string& name, Tensor& buffer) {
  check_name(name);
  buffers_.emplace_back(name, &buffer);
}

bool Module::holds(const Module* module) const {
  if (this == module) return true;
  return std::any_of(modules_.begin(), modules_.end(), [&](const auto& entry) { return entry.second->holds(module); });
}

void Module::register_module(const std::string& name, Module& module) {
  check_name(name);
  check(&module != this, ErrorKind::kValue, "module", "a module cannot be registered in itself: name is ", escaped(name, 60));
  check(!module.holds(this), ErrorKind::kValue, "module", "the tree would have a cycle: the module to be registered as ",
        escaped(name, 60), " holds this one");
  modules_.emplace_back(name, &module);
}

void Module::train(bool on) {
  for (const auto& entry : named_modules()) entry.second->training_ = on && !entry.second->frozen_;
}

void Module::freeze() {
  for (const auto& entry : named_modules()) entry.second->frozen_ = true;
  eval();
  for (const NamedParameter& p : named_parameters()) {
    p.parameter->zero_grad();
    p.parameter->set_requires_grad(false);
  }
}

void Module::unfreeze() {
  for (const auto& entry : named_modules()) entry.second->frozen_ = false;
  train();
  for (const NamedParameter& p : named_parameters()) p.parameter->set_requires_grad(true);
}

bool Module::trainable() const {
  return std::any_of(parameters_.begin(), parameters_.end(), [](const auto& entry) { return entry.second->requires_grad(); }) ||
         std::any_of(modules_.begin(), modules_.end(), [](const auto& entry) { return entry.second->trainable(); });
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

ModeGuard::ModeGuard(Module& module, bool training) {
  for (const auto& entry : module.named_modules()) before_.emplace_back(entry.second, entry.second->training_);
  module.train(training);
}

ModeGuard::~ModeGuard() {
  for (const auto& [module, mode] : before_) module->training_ = mode;
}

}  // namespace vitrail::nn
