#include "train/optim/optim.h"

#include <cmath>
#include <set>

#include "autograd/profile.h"
#include "train/optim/stretches.h"

namespace vitrail {

namespace {

void require_rate(const char* what, double value) {
  check(std::isfinite(value) && value >= 0, ErrorKind::kValue, "optimizer", what,
        " must be a finite number of at least 0: it is ", value, ".");
}

// Gradients are read, weights and states read and written.
int64_t bytes_to_move(const std::vector<ParamGroup>& groups, int64_t states) {
  int64_t bytes = 0;
  for (const ParamGroup& group : groups)
    for (const auto& [path, parameter] : group.parameters)
      if (parameter.grad().defined()) bytes += (3 + 2 * states) * parameter.numel() * size_of(parameter.dtype());
  return bytes;
}

}  // namespace

Optimizer::Optimizer(std::vector<ParamGroup> groups, std::vector<std::string> state_names)
    : groups_(std::move(groups)), state_names_(std::move(state_names)) {
  std::set<std::string> seen;
  for (const ParamGroup& group : groups_) {
    require_rate("weight_decay", group.weight_decay);
    require_rate("lr_scale", group.lr_scale);
    for (const auto& [path, parameter] : group.parameters) {
      check(parameter.defined() && is_float(parameter.dtype()), ErrorKind::kValue, "optimizer", "parameter ", path,
            " is not a float tensor.");
      check(seen.insert(path).second, ErrorKind::kValue, "optimizer", "parameter ", path,
            " is listed twice. Hint: each parameter belongs to one group.");
    }
    slots_.emplace_back(group.parameters.size());
  }
}

void Optimizer::zero_grad() {
  for (ParamGroup& group : groups_)
    for (auto& [path, parameter] : group.parameters) parameter.zero_grad();
}

void Optimizer::step(double lr, double grad_scale) {
  require_rate("lr", lr);
  require_rate("grad_scale", grad_scale);
  ProfileScope scope(name());
  scope.add_bytes(active_profile() ? bytes_to_move(groups_, static_cast<int64_t>(state_names_.size())) : 0);
  for (size_t i = 0; i < groups_.size(); ++i) {
    step_group<float>(groups_[i], slots_[i], lr, grad_scale);
    step_group<double>(groups_[i], slots_[i], lr, grad_scale);
  }
  ++steps_;
}

// All parameters of the group in one pass.
template <class T>
void Optimizer::step_group(const ParamGroup& group, std::vector<Slot>& slots, double lr, double grad_scale) {
  std::vector<Tensor> gradients;  // keeps contiguous copies alive
  std::vector<Chunk<T>> wholes;
  std::vector<int64_t> lengths;
  for (size_t i = 0; i < slots.size(); ++i) {
    const auto& [path, parameter] = group.parameters[i];
    if (parameter.dtype() != dtype_of<T>() || !parameter.requires_grad() || !parameter.grad().defined()) continue;
    Tensor value = parameter.value();
    check(value.is_contiguous(), ErrorKind::kValue, "optimizer", "parameter ", path,
          " is not contiguous. Hint: parameters must own their memory, use clone().");
    check(parameter.grad().shape() == value.shape() && parameter.grad().dtype() == value.dtype(), ErrorKind::kValue,
          "optimizer", "gradient and parameter differ: ", path, " is ", value.shape(), ", its gradient is ",
          parameter.grad().shape(), ".");
    gradients.push_back(contiguous(parameter.grad()));
    Slot& slot = slots[i];
    ++slot.steps;
    Chunk<T> whole{value.mutable_data<T>(), gradients.back().data<T>(), {},        value.numel(), slot.steps,
                   lr * group.lr_scale,     group.weight_decay,         grad_scale};
    for (size_t k = 0; k < state_names_.size(); ++k) {
      if (!slot.state[k].defined()) slot.state[k] = zeros_like(value);
      whole.s[k] = slot.state[k].template mutable_data<T>();
    }
    wholes.push_back(whole);
    lengths.push_back(whole.n);
  }
  for_each_stretch(lengths, [&](int64_t i, int64_t begin, int64_t end) {
    Chunk<T> part = wholes[i];
    part.p += begin;
    part.g += begin;
    for (size_t k = 0; k < state_names_.size(); ++k) part.s[k] += begin;
    part.n = end - begin;
    update(part);
  });
}

}  // namespace vitrail
