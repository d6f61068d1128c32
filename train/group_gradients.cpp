#include "train/group_gradients.h"

#include <memory>
#include <optional>
#include <unordered_map>
#include <utility>

#include "autograd/engine.h"
#include "nn/registration.h"
#include "tensor/ops.h"
#include "train/buffer_means.h"
#include "train/ranks/gradient_sum.h"
#include "train/sum_tree.h"

namespace vitrail {

namespace {

BatchLoss backward_whole(Task& task, const Batch& batch, const Rng& rng, bool check_parameters) {
  // LAB 5.5 BEGIN  random numbers from rng, the loss (check_registered() if asked), its gradient alone in the parameters
  default_rng() = rng;
  const Loss loss = task.loss(batch);
  if (check_parameters) nn::check_registered(loss.total, task.model());
  task.model().zero_grad();
  loss.total.backward();
  return {loss.total.item(), loss.parts};
  // LAB 5.5 END
}

// Where the gradients of the last group of this process go, each as soon as it is whole: on to the other processes, while the
// others are still being computed.
GradientObserver hand_over(const std::vector<nn::NamedParameter>& parameters, SumTree& tree, GradientSum& ranks) {
  auto index = std::make_shared<std::unordered_map<const Meta*, size_t>>();
  for (size_t i = 0; i < parameters.size(); ++i) (*index)[parameters[i].parameter->meta().get()] = i;
  return [&tree, &ranks, index](const Variable& leaf) {
    const auto found = index->find(leaf.meta().get());
    if (found == index->end()) return;
    ranks.ready(found->second, tree.with_last(found->second, leaf.grad()));
    Variable(leaf).zero_grad();
  };
}

// The sums over all processes, from those over the groups of this one.
void add_up(GradientSum& ranks, bool has_groups, GroupSum& total, Scores& parts) {
  ranks.finish(total.gradients);
  ranks.add_up(has_groups, total.loss, total.parts, parts);
}

}  // namespace

BatchLoss backward_in_groups(Task& task, const Batch& batch, int64_t groups, const Rng& rng, bool check_parameters) {
  return backward_in_groups(task, whole_batch(batch, groups, task.model()), rng, check_parameters, nullptr);
}

BatchLoss backward_in_groups(Task& task, const SharedBatch& batch, const Rng& rng, bool check_parameters, GradientSum* ranks) {
  if (batch.groups == 1 && !ranks) return backward_whole(task, batch.part, rng, check_parameters);
  nn::Module& model = task.model();
  const std::vector<nn::NamedParameter> parameters = model.named_parameters();
  BufferMeans buffers(model);
  SumTree tree;
  BatchLoss result;
  if (ranks) ranks->begin(parameters);
  for (int64_t g = batch.first; g < batch.last; ++g) {
    const Batch part = part_of(batch.part, batch.begin(g), batch.begin(g + 1));
    buffers.before_group();
    default_rng() = batch.groups == 1 ? rng : rng.at(static_cast<uint64_t>(g));
    const Loss loss = task.loss(part);
    if (check_parameters && g == batch.first) nn::check_registered(loss.total, model);
    model.zero_grad();
    GroupSum sum;
    std::optional<GradientObserverGuard> observer;
    if (ranks && g + 1 == batch.last) observer.emplace(hand_over(parameters, tree, *ranks));
    // LAB 5.5 BEGIN  weight = part.size() / batch.size(): backward of weight times the loss; sum.loss and sum.parts likewise
    const double weight = static_cast<double>(part.size()) / static_cast<double>(batch.size());
    loss.total.backward(full(loss.total.shape(), weight, loss.total.dtype()));
    sum.loss = weight * loss.total.item();
    for (const Score& entry : loss.parts) sum.parts.push_back(weight * entry.value);
    // LAB 5.5 END
    observer.reset();
    for (const nn::NamedParameter& entry : parameters) {
      sum.gradients.push_back(entry.parameter->grad());
      entry.parameter->zero_grad();
    }
    tree.push(std::move(sum));
    buffers.after_group();
    result.parts = loss.parts;  // names and labels
  }
  GroupSum total = tree.total();
  total.gradients.resize(parameters.size());
  if (ranks) add_up(*ranks, batch.first < batch.last, total, result.parts);
  for (size_t i = 0; i < parameters.size(); ++i) parameters[i].parameter->set_grad(std::move(total.gradients[i]));
  result.total = total.loss;
  for (size_t i = 0; i < result.parts.size(); ++i) result.parts[i].value = total.parts[i];
  buffers.finish(batch.groups, ranks);
  return result;
}

}  // namespace vitrail
