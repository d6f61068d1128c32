#include "train/optim/optim.h"

#include <atomic>
#include <cmath>
#include <set>

#include "autograd/profile.h"
#include "base/divide.h"
#include "tensor/view.h"
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
    const bool fits = parts_.of.empty() ? state.shape() == value.shape() : state.numel() == part_of(path, value.numel()).size();
    check(fits && state.dtype() == value.dtype(), ErrorKind::kValue, "optimizer", "state and parameter differ: ", path, " is ",
          name_of(value.dtype()), " ", value.shape(), ", its ", state_names_[k], " is ", name_of(state.dtype()), " ",
          state.shape(), ". Hint: a new value of another shape needs a new optimiser.");
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
  if (parts_.gather) parts_.gather();
}

void Optimizer::set_parts(OptimizerParts parts) {
  parts_ = std::move(parts);
  for (const ParamGroup& group : groups_)
    for (const auto& [path, parameter] : group.parameters) {
      const ElementRange part = part_of(path, parameter.numel());
      const int64_t n = parameter.numel(), chunk = as_whole(group) ? n : norm_chunk(n);
      const auto is_border = [&](int64_t at) { return at == n || at % chunk == 0; };
      check(part.begin >= 0 && part.begin <= part.end && part.end <= n &&
                (part.size() == 0 || (is_border(part.begin) && is_border(part.end))),
            ErrorKind::kValue, "optimizer", "the part [", part.begin, ", ", part.end, ") of ", path, ", ", n,
            " elements, does not end at a chunk of ", chunk, ".");
    }
  cut_states();
}

bool Optimizer::moves_whole(const std::string& path) const {
  for (const ParamGroup& group : groups_)
    for (const auto& entry : group.parameters)
      if (entry.first == path) return as_whole(group);
  return false;
}

ElementRange Optimizer::part_of(const std::string& path, int64_t numel) const {
  if (parts_.of.empty()) return {0, numel};
  const auto found = parts_.of.find(path);
  return found == parts_.of.end() ? ElementRange{} : found->second;
}

void Optimizer::cut_states() {
  if (parts_.of.empty()) return;
  for (size_t i = 0; i < groups_.size(); ++i)
    for (size_t j = 0; j < slots_[i].size(); ++j) {
      const auto& [path, parameter] = groups_[i].parameters[j];
      const ElementRange part = part_of(path, parameter.numel());
      for (Tensor& state : slots_[i][j].state)
        if (state.defined() && state.numel() == parameter.numel() && part.size() < parameter.numel())
          state = clone(slice(reshape(state, {state.numel()}), 0, part.begin, part.end));
    }
}

template <class T>
struct Optimizer::Update {
  const std::string* path;
  Tensor value, grad;  // grad is contiguous
  Slot* slot;
  ElementRange part{};  // that is updated here
  Chunk<T> whole;       // that part
  std::atomic<bool> broken = false;

  Update(const std::string& name, const Variable& parameter, Slot& its_slot)
      : path(&name), value(parameter.value()), grad(contiguous(parameter.grad())), slot(&its_slot) {}
  Update(Update&& other) noexcept
      : path(other.path), value(other.value), grad(other.grad), slot(other.slot), part(other.part), whole(other.whole) {}
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
    u.part = part_of(path, u.value.numel());
    u.whole = {u.value.template mutable_data<T>() + u.part.begin,
               u.grad.template data<T>() + u.part.begin,
               {},
               u.part.size(),
               slots[i].steps,
               lr * group.lr_scale,
               group.weight_decay,
               grad_scale};
    for (int k = 0; k < states_of(group); ++k) {
      Tensor& state = slots[i].state[static_cast<size_t>(k)];
      if (!state.defined())
        state = u.part.size() == u.value.numel() ? zeros_like(u.value) : zeros({u.part.size()}, u.value.dtype());
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
  struct Stretch {
    size_t update;
    int64_t begin, end;  // in the parameter
  };
  std::vector<Stretch> stretches;
  for (size_t i = 0; i < updates.size(); ++i) {
    const int64_t n = updates[i].value.numel(), length = norm_chunk(n);
    for (int64_t begin = 0; begin < n; begin += length) stretches.push_back({i, begin, std::min(n, begin + length)});
  }
  std::vector<double> squares(2 * stretches.size(), 0);
  parallel_for(static_cast<int64_t>(stretches.size()), 1, [&](int64_t first, int64_t last) {
    for (auto s = static_cast<size_t>(first); s < static_cast<size_t>(last); ++s) {
      const Update<T>& u = updates[stretches[s].update];
      if (stretches[s].begin < u.part.begin || stretches[s].begin >= u.part.end) continue;  // of another process
      const Norms norms = measure(stretch_of(u.whole, stretches[s].begin - u.part.begin, stretches[s].end - u.part.begin));
      squares[2 * s] = norms.weights, squares[2 * s + 1] = norms.direction;
    }
  });
  if (parts_.sum) parts_.sum(squares);
  std::vector<Norms> norms(updates.size());
  for (size_t s = 0; s < stretches.size(); ++s) {
    Norms& sum = norms[stretches[s].update];
    sum.weights += squares[2 * s], sum.direction += squares[2 * s + 1];
  }
  for (size_t i = 0; i < updates.size(); ++i) {
    const Norms roots = {std::sqrt(norms[i].weights), std::sqrt(norms[i].direction)};
    const bool scaled = group.trust_ratio && roots.weights > 0 && roots.direction > 0;
    updates[i].whole.trust = scaled ? trust(roots, group.weight_decay) : 1;
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
    if (u.part.size() == 0) return;
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
