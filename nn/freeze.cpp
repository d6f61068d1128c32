#include "nn/freeze.h"

#include <algorithm>

namespace vitrail::nn {

int64_t freeze_all_but(Module& module, const std::function<bool(const std::string& path)>& trained) {
  int64_t left = 0;
  const std::vector<NamedParameter> parameters = module.named_parameters();
  for (const NamedParameter& p : parameters) {
    // LAB 8.1 BEGIN  A defined parameter that is not trained: no gradient, requires none. left counts those that require one.
    if (!trained(p.name) && p.parameter->defined()) {
      p.parameter->zero_grad();
      p.parameter->set_requires_grad(false);
    }
    left += p.parameter->requires_grad();
    // LAB 8.1 END
  }
  const auto is_trained = [](const NamedParameter& p) { return p.parameter->requires_grad(); };
  // The root's own parameters are registered before its modules, in all models here.
  bool before = std::any_of(parameters.begin(), parameters.end(),
                            [&](const NamedParameter& p) { return p.name.find('.') == std::string::npos && is_trained(p); });
  for (const auto& [path, part] : module.named_modules()) {
    if (path.empty()) continue;
    const bool top = path.find('.') == std::string::npos, trains = part->trainable();
    const bool empty = part->num_parameters() == 0;
    if (top) before = before || trains;
    // LAB 8.1 BEGIN  freeze() a part that neither trains nor is frozen; an empty one only at the top, if none before trains.
    if (!trains && !part->frozen() && (!empty || (top && !before))) part->freeze();
    // LAB 8.1 END
  }
  return left;
}

FrozenState::FrozenState(Module& module) {
  for (const NamedParameter& p : module.named_parameters()) parameters_.emplace_back(p.parameter, p.parameter->requires_grad());
  for (const auto& entry : module.named_modules())
    modes_.push_back({entry.second, entry.second->frozen(), entry.second->training()});
}

void FrozenState::restore() {
  // Each call reaches all modules below, whose own turn comes later.
  for (const Mode& mode : modes_) mode.frozen ? mode.module->freeze() : mode.module->unfreeze();
  for (const Mode& mode : modes_) mode.module->train(mode.training);
  for (const auto& [parameter, required] : parameters_)
    if (parameter->defined()) parameter->set_requires_grad(required);
}

}  // namespace vitrail::nn
