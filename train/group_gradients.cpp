#include "train/group_gradients.h"

#include <algorithm>
#include <utility>

#include "nn/norm.h"
#include "nn/registration.h"
#include "tensor/ops.h"
#include "train/keep_buffers.h"

namespace vitrail {

namespace {

// What is added up over the groups.
struct GroupSum {
  std::vector<Tensor> gradients;  // of each parameter; undefined where it has none
  double loss = 0;
  std::vector<double> parts;
};

void add(GroupSum& a, GroupSum&& b) {
  for (size_t i = 0; i < a.gradients.size(); ++i) {
    if (!a.gradients[i].defined())
      a.gradients[i] = std::move(b.gradients[i]);
    else if (b.gradients[i].defined())
      add_(a.gradients[i], b.gradients[i]);
  }
  a.loss += b.loss;
  for (size_t i = 0; i < a.parts.size(); ++i) a.parts[i] += b.parts[i];
}

// A binary counter: two sums over equally many groups become one, so that the tree follows from the group numbers alone.
class Tree {
 public:
  void push(GroupSum sum) {
    levels_.push_back({std::move(sum), 0});
    while (levels_.size() > 1 && levels_[levels_.size() - 2].height == levels_.back().height) join();
  }
  GroupSum total() {
    while (levels_.size() > 1) join();
    return std::move(levels_.back().sum);
  }

 private:
  struct Level {
    GroupSum sum;
    int height;
  };
  void join() {
    Level right = std::move(levels_.back());
    levels_.pop_back();
    add(levels_.back().sum, std::move(right.sum));
    ++levels_.back().height;
  }
  std::vector<Level> levels_;
};

// The mean, over the groups, of the running statistics that each leaves behind.
class BufferMeans {
 public:
  explicit BufferMeans(nn::Module& module) : before_(module) {
    for (const nn::NamedBuffer& entry : module.named_buffers())
      if (entry.buffer->defined() && is_float(entry.buffer->dtype())) sums_.push_back({entry.buffer, {}});
  }
  void before_group() { before_.restore(); }
  void after_group() {
    for (auto& [buffer, sum] : sums_) {
      const Tensor now = to(*buffer, Dtype::f64);
      sum = sum.defined() ? vitrail::add(sum, now) : now;
    }
  }
  void finish(int64_t groups) {
    for (auto& [buffer, sum] : sums_) *buffer = to(mul(sum, 1.0 / static_cast<double>(groups)), buffer->dtype());
    before_.release();
  }

 private:
  KeepBuffers before_;
  std::vector<std::pair<Tensor*, Tensor>> sums_;
};

BatchLoss backward_whole(Task& task, const Batch& batch, const Rng& rng, bool check_parameters) {
  // LAB 5.5 BEGIN  random numbers from rng, the loss, its gradient alone in the parameters; returns the loss
  default_rng() = rng;
  const Loss loss = task.loss(batch);
  if (check_parameters) nn::check_registered(loss.total, task.model());
  task.model().zero_grad();
  loss.total.backward();
  return {loss.total.item(), loss.parts};
  // LAB 5.5 END
}

}  // namespace

int64_t least_in_group(nn::Module& model) { return nn::has_batch_norm(model) ? 2 : 1; }

int64_t count_groups(int64_t images, int64_t groups, nn::Module& model) {
  return std::max<int64_t>(1, std::min(groups, images / least_in_group(model)));
}

Batch part_of(const Batch& batch, int64_t begin, int64_t end) {
  return {slice(batch.images, 0, begin, end),
          slice(batch.labels, 0, begin, end),
          {batch.targets.begin() + begin, batch.targets.begin() + end},
          {batch.indices.begin() + begin, batch.indices.begin() + end},
          batch.soft_labels.defined() ? slice(batch.soft_labels, 0, begin, end) : Tensor(),
          batch.stages,
          batch.class_labels.defined() ? slice(batch.class_labels, 0, begin, end) : Tensor()};
}

Batch group_of(const Batch& batch, int64_t group, int64_t groups) {
  return part_of(batch, group * batch.size() / groups, (group + 1) * batch.size() / groups);
}

BatchLoss backward_in_groups(Task& task, const Batch& batch, int64_t groups, const Rng& rng, bool check_parameters) {
  nn::Module& model = task.model();
  groups = count_groups(batch.size(), groups, model);
  if (groups == 1) return backward_whole(task, batch, rng, check_parameters);
  const std::vector<nn::NamedParameter> parameters = model.named_parameters();
  BufferMeans buffers(model);
  Tree tree;
  BatchLoss result;
  for (int64_t g = 0; g < groups; ++g) {
    const Batch part = group_of(batch, g, groups);
    buffers.before_group();
    default_rng() = rng.at(static_cast<uint64_t>(g));
    const Loss loss = task.loss(part);
    if (check_parameters && g == 0) nn::check_registered(loss.total, model);
    model.zero_grad();
    GroupSum sum;
    // LAB 5.5 BEGIN  backward of this part's share of the batch's loss; sum.loss and sum.parts are its shares, too
    const double weight = static_cast<double>(part.size()) / static_cast<double>(batch.size());
    loss.total.backward(full(loss.total.shape(), weight, loss.total.dtype()));
    sum.loss = weight * loss.total.item();
    for (const Score& entry : loss.parts) sum.parts.push_back(weight * entry.value);
    // LAB 5.5 END
    for (const nn::NamedParameter& entry : parameters) {
      sum.gradients.push_back(entry.parameter->grad());
      entry.parameter->zero_grad();
    }
    tree.push(std::move(sum));
    buffers.after_group();
    result.parts = loss.parts;  // names and labels
  }
  GroupSum total = tree.total();
  for (size_t i = 0; i < parameters.size(); ++i) parameters[i].parameter->set_grad(std::move(total.gradients[i]));
  result.total = total.loss;
  for (size_t i = 0; i < result.parts.size(); ++i) result.parts[i].value = total.parts[i];
  buffers.finish(groups);
  return result;
}

}  // namespace vitrail
