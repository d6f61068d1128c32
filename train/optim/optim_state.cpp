// Saving and restoring the state of an optimiser as named tensors.
#include <map>

#include "base/text.h"
#include "train/optim/optim.h"

namespace vitrail {

namespace {

const std::string kStepPrefix = "step.";

Tensor count(int64_t value) { return from_vector(std::vector<int64_t>{value}, Shape{}); }

}  // namespace

nn::StateDict Optimizer::state() const {
  // LAB 5.7 BEGIN  "step" (steps_); of each slot that has moved "step.PATH" and its states, "NAME.PATH"
  nn::StateDict result{{"step", count(steps_)}};
  for (size_t i = 0; i < groups_.size(); ++i) {
    for (size_t j = 0; j < slots_[i].size(); ++j) {
      const Slot& slot = slots_[i][j];
      if (slot.steps == 0) continue;
      const std::string& path = groups_[i].parameters[j].first;
      result.emplace_back(kStepPrefix + path, count(slot.steps));
      for (size_t k = 0; k < static_cast<size_t>(states_of(groups_[i])); ++k)
        result.emplace_back(state_names_[k] + "." + path, slot.state[k]);
    }
  }
  return result;
  // LAB 5.7 END
}

Optimizer::Place Optimizer::find(const std::string& path) {
  for (size_t i = 0; i < groups_.size(); ++i)
    for (size_t j = 0; j < groups_[i].parameters.size(); ++j)
      if (groups_[i].parameters[j].first == path)
        return {&slots_[i][j], &groups_[i].parameters[j].second, static_cast<size_t>(states_of(groups_[i]))};
  return {};
}

void Optimizer::load_state(const nn::StateDict& state) {
  int64_t steps = -1;
  std::map<Slot*, Slot> loaded;
  std::map<Slot*, size_t> expected;  // states of each
  std::vector<std::string> problems;
  for (const auto& [key, tensor] : state) {
    const size_t dot = key.find('.');
    const std::string kind = key.substr(0, dot), path = dot == std::string::npos ? "" : key.substr(dot + 1);
    if (key == "step" && tensor.dtype() == Dtype::i64 && tensor.numel() == 1) {
      steps = static_cast<int64_t>(tensor.item());
      continue;
    }
    const auto [slot, parameter, states] = find(path);
    size_t k = 0;
    while (k < states && state_names_[k] != kind) ++k;
    const bool is_step = kind == "step";
    if (slot) expected[slot] = states;
    // LAB 5.7 BEGIN  `tensor` into loaded[slot], as steps or a copy; a line in `problems` if it is unknown or differs
    if (!slot || (!is_step && k == states)) {
      problems.push_back(cat("unknown: ", key));
    } else if (is_step ? tensor.dtype() != Dtype::i64 || tensor.numel() != 1
                       : tensor.dtype() != parameter->dtype() || tensor.shape() != parameter->shape()) {
      problems.push_back(cat("differs: ", key, " is ", name_of(tensor.dtype()), " ", tensor.shape()));
    } else if (is_step) {
      loaded[slot].steps = static_cast<int64_t>(tensor.item());
    } else {
      loaded[slot].state[k] = clone(tensor);
    }
    // LAB 5.7 END
  }
  if (steps < 0) problems.push_back("missing: step");
  for (const auto& [slot, values] : loaded) {
    bool whole = values.steps > 0;
    for (size_t k = 0; k < expected[slot]; ++k) whole = whole && values.state[k].defined();
    if (!whole) problems.push_back(cat("a parameter has only a part of its state"));
  }
  check(problems.empty(), ErrorKind::kValue, "optimizer", "state does not fit this ", name(), ": ", listed(problems, 3, 100),
        ". Hint: it must come from the same optimiser over the same model.");
  // LAB 5.7 BEGIN  take over steps and what was loaded; parameters without a state begin anew
  steps_ = steps;
  for (auto& slots : slots_)
    for (Slot& slot : slots) slot = loaded.count(&slot) ? loaded[&slot] : Slot{};
  // LAB 5.7 END
  cut_states();
}

}  // namespace vitrail
