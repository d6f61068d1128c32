// A batch cut into groups of images.
#pragma once

#include <cstdint>

#include "data/batch.h"
#include "nn/module.h"

namespace vitrail {

// A batch, or the part of it that one of several processes has: the images of the groups [first, last) of `groups`.
struct SharedBatch {
  const Batch& part;
  int64_t images = 0;  // of the whole batch
  int64_t groups = 1, first = 0, last = 1;

  int64_t size() const { return images; }
  // Where a group lies in `part`.
  int64_t begin(int64_t group) const { return group * images / groups - first * images / groups; }
};

// All of it, in count_groups() groups.
SharedBatch whole_batch(const Batch& batch, int64_t groups, nn::Module& model);

// 2 for a model with batch norm, to which one image gives no statistics, else 1.
int64_t least_in_group(nn::Module& model);
// How many groups a batch of so many images is really cut into: `groups`, or as many as have least_in_group() images,
// at least 1.
int64_t count_groups(int64_t images, int64_t groups, nn::Module& model);
// The images [begin, end) of a batch; those of one group of `groups`.
Batch part_of(const Batch& batch, int64_t begin, int64_t end);
Batch group_of(const Batch& batch, int64_t group, int64_t groups);

}  // namespace vitrail
