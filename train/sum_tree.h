// The sum over the groups of a batch as one binary tree over the group numbers (train/group_gradients.h).
#pragma once

#include <cstddef>
#include <vector>

#include "tensor/tensor.h"

namespace vitrail {

// What is added up over the groups.
struct GroupSum {
  std::vector<Tensor> gradients;  // of each parameter; undefined where it has none
  double loss = 0;
  std::vector<double> parts;
};

// A binary counter: two sums over equally many groups become one, so that the tree follows from the group numbers alone.
class SumTree {
 public:
  void push(GroupSum sum);
  GroupSum total();
  // The last group's gradient of parameter i joins those of the groups before it, from the right, as it would after push().
  Tensor with_last(size_t i, Tensor gradient);

 private:
  struct Level {
    GroupSum sum;
    int height;
  };
  void join();

  std::vector<Level> levels_;
};

}  // namespace vitrail
