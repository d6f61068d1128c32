#include "train/optim/optim.h"

#include <atomic>
#include <cmath>
#include <set>

#include "autograd/profile.h"
#include "base/divide.h"
#include "train/optim/stretches.h"

namespace vitrail {

namespace {

void require_rate(const char* what, double value) {
  check(std::isfinite(value) && value >= 0, ErrorKind::kValue, "optimizer", what,
        " must be a finite number of at least 0: it is ", value, ".");
}

// Gradients are read, weights and states read and written; of two passes, one reads weights and states alone.
int64_t bytes_to_move(const std::vector<ParamGroup>& groups, int64_t states, bool two_passes) {
  int64_t bytes = 0;
  for (const ParamGroup& group : groups)
    for (const auto& [path, parameter] : group.parameters)
      if (parameter.grad().defined())
        bytes += (3 + 2 * states + (two_passes ? 1 + states : 0)) * parameter.numel() * size_of(parameter.dtype());
  return bytes;
}

// Whether all n numbers are finite: x * 0 is 0 for a finite x and NaN for any other.
template <class T>
bool all_finite(const T* x, int64_t n) {
  T sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < n; ++i) sum += x[i] * T(0);
  return sum == T(0);
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
  check(!seen.empty(), ErrorKind::kValue, "optimizer",
        "there is no parameter to train. Hint: register_parameter() and register_module() make a module's parameters known.");
}

void Optimizer::zero_grad() {
  for (ParamGroup& group : groups_)
    for (auto& [path, parameter] : group.parameters) parameter.zero_grad();
}

// Everything that could be wrong with one parameter, before any of them is changed.
void Optimizer::check_parameter(const std::string& path, const Variable& parameter, const Slot& slot) const {
  const Tensor &value = parameter.value(), &grad = parameter.grad();
  check(value.is_contiguous(), ErrorKind::kValue, "optimizer", "parameter ", path,
        " is not contiguous. Hint: parameters must own their memory, use clone().");
  check(grad.shape() == value.shape() && grad.dtype() == value.dtype(), ErrorKind::kValue, "optimizer",
        "gradient and parameter differ: ", path, " is ", name_of(value.dtype()), " ", value.shape(), ", its gradient is ",
        name_of(grad.dtype()), " ", grad.shape(), ".");
  for (size_t k = 0; k < state_names_.size(); ++k) {
    const Tensor& state = slot.state[k];
    if (!state.defined()) continue;
    check(state.shape() == value.shape() && state.dtype() == value.dtype(), ErrorKind::kValue, "optimizer",
          "state and parameter differ: ", path, " is ", name_of(value.dtype()), " ", value.shape(), ", its ", state_names_[k],
          " is ", name_of(state.dtype()), " ", state.shape(), ". Hint: a new value of another shape needs a new optimiser.");
  }
}

void Optimizer::check_parameters() const {
  int64_t moved = 0;
  for (size_t i = 0; i < groups_.size(); ++i) {
    check(slots_[i].size() == groups_[i].parameters.size(), ErrorKind::kValue, "optimizer", "group ", groups_[i].label, " had ",
          slots_[i].size(), " parameters and has ", groups_[i].parameters.size(),
          ". Hint: make the optimiser after the groups are complete.");
    for (size_t j = 0; j < slots_[i].size(); ++j) {
      const auto& [path, parameter] = groups_[i].parameters[j];
      if (!parameter.requires_grad() || !parameter.grad().defined()) continue;
      check_parameter(path, parameter, slots_[i][j]);
      ++moved;
    }
  }
  check(moved > 0, ErrorKind::kValue, "optimizer",
        "no parameter has a gradient. Hint: call loss.backward() before step(), zero_grad() after it, and leave requires_grad "
        "on for what is to be trained.");
}

void Optimizer::step(double lr, double grad_scale) {
  require_rate("lr", lr);
  require_rate("grad_scale", grad_scale);
  check_parameters();
  ProfileScope scope(name());
  scope.add_bytes(active_profile() ? bytes_to_move(groups_, static_cast<int64_t>(state_names_.size()), measures()) : 0);
  for (size_t i = 0; i < groups_.size(); ++i) {
    step_group<float>(groups_[i], slots_[i], lr, grad_scale);
    step_group<double>(groups_[i], slots_[i], lr, grad_scale);
  }
  ++steps_;
}

template <class T>
struct Optimizer::Update {
  const std::string* path;
  Tensor value, grad;  // grad is contiguous
  Slot* slot;
  Chunk<T> whole;
  std::atomic<bool> broken = false;

  Update(const std::string& name, const Variable& parameter, Slot& its_slot)
      : path(&name), value(parameter.value()), grad(contiguous(parameter.grad())), slot(&its_slot) {}
  Update(Update&& other) noexcept
      : path(other.path), value(other.value), grad(other.grad), slot(other.slot), whole(other.whole) {}
};

// All parameters of the group in one pass.
template <class T>
void Optimizer::step_group(const ParamGroup& group, std::vector<Slot>& slots, double lr, double grad_scale) {
  std::vector<Update<T>> updates;
  for (size_t i = 0; i < slots.size(); ++i) {
    const auto& [path, parameter] = group.parameters[i];
    if (parameter.dtype() != dtype_of<T>() || !parameter.requires_grad() || !parameter.grad().defined()) continue;
    Update<T> u(path, parameter, slots[i]);
    ++slots[i].steps;
    u.whole = {u.value.template mutable_data<T>(), u.grad.template data<T>(), {},        u.value.numel(), slots[i].steps,
               lr * group.lr_scale,                group.weight_decay,        grad_scale};
    for (int k = 0; k < states_of(group); ++k) {
      Tensor& state = slots[i].state[static_cast<size_t>(k)];
      if (!state.defined()) state = zeros_like(u.value);
      u.whole.s[static_cast<size_t>(k)] = state.template mutable_data<T>();
    }
    updates.push_back(std::move(u));
  }
  if (as_whole(group)) {
    update_wholes(updates);
  } else {
    if (measures()) measure_stretches(group, updates);
    update_stretches(updates);
  }
  for (const Update<T>& u : updates)
    check(!u.broken.load(std::memory_order_relaxed), ErrorKind::kNumeric, name(), "weights are not finite at step ", steps_,
          ": the update of ", *u.path, " gave NaN or infinity (lr is ", lr,
          "). Hint: lower the learning rate, lengthen the warm-up, or clip the gradient.");
}

template <class T>
Optimizer::Chunk<T> Optimizer::stretch_of(const Chunk<T>& whole, int64_t begin, int64_t end) const {
  Chunk<T> part = whole;
  part.p += begin;
  part.g += begin;
  for (size_t k = 0; k < state_names_.size(); ++k) part.s[k] += begin;
  part.n = end - begin;
  return part;
}

// The first of two passes, and what the second one needs to know of it.
template <class T>
void Optimizer::measure_stretches(const ParamGroup& group, std::vector<Update<T>>& updates) const {
  std::vector<int64_t> lengths;
  std::vector<std::vector<Norms>> squares;  // [parameter][stretch]
  for (const Update<T>& u : updates) {
    lengths.push_back(u.whole.n);
    squares.emplace_back(static_cast<size_t>(ceil_div(u.whole.n, kStretchElements)));
  }
  for_each_stretch(lengths, [&](int64_t i, int64_t begin, int64_t end) {
    const Chunk<T> part = stretch_of(updates[static_cast<size_t>(i)].whole, begin, end);
    squares[static_cast<size_t>(i)][static_cast<size_t>(begin / kStretchElements)] = measure(part);
  });
  for (size_t i = 0; i < updates.size(); ++i) {
    Norms norms;
    for (const Norms& part : squares[i]) norms.weights += part.weights, norms.direction += part.direction;
    norms = {std::sqrt(norms.weights), std::sqrt(norms.direction)};
    const bool scaled = group.trust_ratio && norms.weights > 0 && norms.direction > 0;
    updates[i].whole.trust = scaled ? trust(norms, group.weight_decay) : 1;
  }
}

template <class T>
void Optimizer::update_stretches(std::vector<Update<T>>& updates) const {
  std::vector<int64_t> lengths;
  for (const Update<T>& u : updates) lengths.push_back(u.whole.n);
  // The result of an update is looked at while it is still in the cache.
  for_each_stretch(lengths, [&](int64_t i, int64_t begin, int64_t end) {
    Update<T>& u = updates[static_cast<size_t>(i)];
    const Chunk<T> part = stretch_of(u.whole, begin, end);
    update(part);
    bool finite = all_finite(part.p, part.n);
    for (size_t k = 0; k < state_names_.size(); ++k) finite = finite && all_finite(part.s[k], part.n);
    if (!finite) u.broken.store(true, std::memory_order_relaxed);
  });
}

// Large parameters one after the other, each by all threads; the small ones side by side, each by one thread.
template <class T>
void Optimizer::update_wholes(std::vector<Update<T>>& updates) const {
  constexpr int64_t kLarge = 512 * 512;
  const auto run = [&](Update<T>& u) {
    update_whole({u.value, u.grad, u.slot->state[0], u.whole.lr, u.whole.weight_decay, u.whole.grad_scale});
    if (!all_finite(u.whole.p, u.whole.n) || !all_finite(u.whole.s[0], u.whole.n)) u.broken = true;
  };
  std::vector<Update<T>*> small;
  for (Update<T>& u : updates) {
    if (u.whole.n < kLarge) {
      small.push_back(&u);
    } else {
      run(u);
    }
  }
  parallel_for(static_cast<int64_t>(small.size()), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) run(*small[static_cast<size_t>(i)]);
  });
}

}  // namespace vitrail
