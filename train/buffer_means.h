// Running statistics over the groups of a batch.
#pragma once

#include <cstdint>
#include <vector>

#include "train/keep_buffers.h"

namespace vitrail {

class GradientSum;

// The mean, over the groups, of the running statistics that each leaves behind; each group starts from those before the batch.
class BufferMeans {
 public:
  explicit BufferMeans(nn::Module& module);
  void before_group() { before_.restore(); }
  void after_group();
  // Added up in the order of the groups, those of other processes among them. Null: there are none.
  void finish(int64_t groups, GradientSum* ranks);

 private:
  KeepBuffers before_;
  std::vector<Tensor*> buffers_;
  std::vector<double> values_;  // of each group, one buffer after another
};

}  // namespace vitrail
