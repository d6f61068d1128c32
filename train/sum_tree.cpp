#include "train/sum_tree.h"

#include <utility>

#include "tensor/ops.h"

namespace vitrail {
namespace {

void add_gradient(Tensor& a, Tensor b) {
  if (!a.defined())
    a = std::move(b);
  else if (b.defined())
    add_(a, b);
}

void add(GroupSum& a, GroupSum&& b) {
  for (size_t i = 0; i < a.gradients.size(); ++i) add_gradient(a.gradients[i], std::move(b.gradients[i]));
  a.loss += b.loss;
  for (size_t i = 0; i < a.parts.size(); ++i) a.parts[i] += b.parts[i];
}

}  // namespace

void SumTree::push(GroupSum sum) {
  levels_.push_back({std::move(sum), 0});
  while (levels_.size() > 1 && levels_[levels_.size() - 2].height == levels_.back().height) join();
}

GroupSum SumTree::total() {
  while (levels_.size() > 1) join();
  return levels_.empty() ? GroupSum() : std::move(levels_.back().sum);
}

Tensor SumTree::with_last(size_t i, Tensor gradient) {
  for (size_t level = levels_.size(); level-- > 0;) {
    Tensor& left = levels_[level].sum.gradients[i];
    add_gradient(left, std::move(gradient));
    gradient = std::exchange(left, {});
  }
  return gradient;
}

void SumTree::join() {
  Level right = std::move(levels_.back());
  levels_.pop_back();
  add(levels_.back().sum, std::move(right.sum));
  ++levels_.back().height;
}

}  // namespace vitrail
