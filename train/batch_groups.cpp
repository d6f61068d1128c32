#include "train/batch_groups.h"

#include <algorithm>

#include "nn/norm.h"
#include "tensor/view.h"

namespace vitrail {

int64_t least_in_group(nn::Module& model) { return nn::has_batch_norm(model) ? 2 : 1; }

int64_t count_groups(int64_t images, int64_t groups, nn::Module& model) {
  return std::max<int64_t>(1, std::min(groups, images / least_in_group(model)));
}

SharedBatch whole_batch(const Batch& batch, int64_t groups, nn::Module& model) {
  groups = count_groups(batch.size(), groups, model);
  return {batch, batch.size(), groups, 0, groups};
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

}  // namespace vitrail
