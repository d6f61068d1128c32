#include "train/ranks/sharded_update.h"

#include <cmath>

#include "base/error.h"
#include "comm/all_reduce.h"
#include "comm/collectives.h"
#include "tensor/machine/parallel.h"
#include "tensor/ops.h"
#include "train/optim/clip.h"
#include "train/optim/stretches.h"

namespace vitrail {

ShardedUpdate::ShardedUpdate(Communicator& comm, GradientSum& sum, Optimizer& optimizer, nn::Module& model)
    : comm_(comm), sum_(sum), optimizer_(optimizer), parameters_(model.named_parameters()) {
  for (size_t i = 0; i < parameters_.size(); ++i) numbers_[parameters_[i].name] = i;
  sum_.keep_whole([this](size_t i) { return optimizer_.moves_whole(parameters_[i].name); });
}

// The parameter that a state "exp_avg.PATH" belongs to; none for counters.
std::map<std::string, size_t>::const_iterator ShardedUpdate::number_of(const std::string& state, const Tensor& tensor) const {
  const size_t dot = state.find('.');
  return dot == std::string::npos || tensor.dtype() != Dtype::f32 ? numbers_.end() : numbers_.find(state.substr(dot + 1));
}

// Parts are known after the first backward pass, and change where other parameters are trained.
void ShardedUpdate::use_layout() {
  if (layout_ == sum_.layouts()) return;
  if (layout_ > 0) load_everywhere(state());  // from parts to other parts through the whole
  layout_ = sum_.layouts();
  parts_.assign(parameters_.size(), {});
  for (size_t i = 0; i < parameters_.size(); ++i)
    for (int r = 0; r < comm_.size(); ++r) parts_[i].push_back(sum_.part(i, r));
  OptimizerParts parts;
  for (size_t i = 0; i < parameters_.size(); ++i) parts.of[parameters_[i].name] = own_part(i);
  parts.sum = [this](std::vector<double>& values) { all_reduce(comm_, std::span(values)); };
  parts.gather = [this] { sum_.gather_weights(); };
  optimizer_.set_parts(std::move(parts));
}

// What state() gives, whole on rank 0, into the optimisers of all.
void ShardedUpdate::load_everywhere(nn::StateDict state) {
  for (auto& [name, tensor] : state) {
    const auto found = number_of(name, tensor);
    if (found == numbers_.end()) continue;
    if (comm_.rank() != 0) tensor = empty(parameters_[found->second].parameter->shape(), Dtype::f32, "state of the optimiser");
    broadcast(comm_, std::as_writable_bytes(std::span(tensor.mutable_data<float>(), static_cast<size_t>(tensor.numel()))));
  }
  optimizer_.set_parts({});
  optimizer_.load_state(state);
}

double ShardedUpdate::grad_norm() {
  use_layout();
  struct Chunk {
    const float* gradient;
    int64_t size;
  };
  std::vector<Chunk> chunks;                      // of all parameters, in the order of grad_norm()
  std::vector<std::pair<size_t, size_t>> ranges;  // of each parameter among them
  std::vector<bool> own;
  for (const ParamGroup& group : optimizer_.groups())
    for (const auto& [path, parameter] : group.parameters) {
      if (!parameter.requires_grad() || !parameter.grad().defined()) continue;
      const ElementRange part = own_part(numbers_.at(path));
      const int64_t n = parameter.numel(), length = norm_chunk(n);
      const float* const gradient = parameter.grad().data<float>();
      const size_t first = chunks.size();
      for (int64_t at = 0; at < n; at += length) {
        chunks.push_back({gradient + at, std::min(length, n - at)});
        own.push_back(at >= part.begin && at < part.end);
      }
      ranges.emplace_back(first, chunks.size());
    }
  std::vector<double> squares(chunks.size(), 0);
  parallel_for(static_cast<int64_t>(chunks.size()), 1, [&](int64_t begin, int64_t end) {
    for (auto c = static_cast<size_t>(begin); c < static_cast<size_t>(end); ++c)
      if (own[c]) squares[c] = sum_of_squares(chunks[c].gradient, chunks[c].size);
  });
  all_reduce(comm_, std::span(squares));  // each is of one rank, the others add 0
  double total = 0;
  for (const auto& [first, last] : ranges) {
    double sum = 0;
    for (size_t c = first; c < last; ++c) sum += squares[c];
    total += sum;
  }
  return std::sqrt(total);
}

// A state of the optimiser in full, on rank 0. `own`: this rank's part of it.
Tensor ShardedUpdate::whole(const Tensor& own, size_t parameter) {
  const Shape& shape = parameters_[parameter].parameter->shape();
  const auto bytes = [](float* p, const ElementRange& part) {
    return std::as_writable_bytes(std::span(p, static_cast<size_t>(part.size())));
  };
  const ElementRange mine = own_part(parameter);
  if (comm_.rank() != 0) {
    Tensor part = own;
    if (mine.size() > 0) comm_.wait(comm_.send(0, bytes(part.mutable_data<float>(), mine)));
    return own;
  }
  Tensor all = zeros(shape, Dtype::f32);
  float* const to = all.mutable_data<float>();
  if (mine.size() > 0) std::copy(own.data<float>(), own.data<float>() + mine.size(), to + mine.begin);
  std::vector<TransferPtr> transfers;
  for (int r = 1; r < comm_.size(); ++r)
    if (const ElementRange part = parts_[parameter][static_cast<size_t>(r)]; part.size() > 0)
      transfers.push_back(comm_.receive(r, bytes(to + part.begin, part)));
  comm_.wait(transfers);
  return all;
}

void ShardedUpdate::write(Ranks& ranks, RunState state, const std::function<void(const RunState&)>& write) {
  const auto work = [&] {
    state.optimizer = outline();
    state.optimizer_entry = [this](size_t i) { return entry(i); };
    if (write) write(state);
    int64_t nothing = -1;
    broadcast(comm_, std::as_writable_bytes(std::span(&nothing, 1)));
  };
  ranks.lead(work, [this] { serve(); });
}

// Names, dtypes and shapes.
nn::StateDict ShardedUpdate::outline() {
  nn::StateDict state = optimizer_.state();
  if (layout_ == 0) return state;
  for (auto& [name, tensor] : state)
    if (const auto found = number_of(name, tensor); found != numbers_.end())
      tensor = expand(zeros({}), parameters_[found->second].parameter->shape());
  return state;
}

// On rank 0: the others are told which one, and give their parts in serve().
Tensor ShardedUpdate::entry(size_t i) {
  const nn::StateDict state = optimizer_.state();
  const auto& [name, tensor] = state.at(i);
  const auto found = number_of(name, tensor);
  if (layout_ == 0 || found == numbers_.end()) return tensor;
  auto wanted = static_cast<int64_t>(i);
  broadcast(comm_, std::as_writable_bytes(std::span(&wanted, 1)));
  return whole(tensor, found->second);
}

void ShardedUpdate::serve() {
  const nn::StateDict state = optimizer_.state();
  while (true) {
    int64_t wanted = -1;
    broadcast(comm_, std::as_writable_bytes(std::span(&wanted, 1)));
    if (wanted < 0) return;
    const auto& [name, tensor] = state.at(static_cast<size_t>(wanted));
    whole(tensor, number_of(name, tensor)->second);
  }
}

nn::StateDict ShardedUpdate::state() {
  nn::StateDict state = optimizer_.state();
  if (layout_ == 0) return state;
  for (auto& [name, tensor] : state)
    if (const auto found = number_of(name, tensor); found != numbers_.end()) tensor = whole(tensor, found->second);
  return state;
}

}  // namespace vitrail
