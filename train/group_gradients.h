// A batch in groups: the gradients of one update from several forward and backward passes, each over a part of the images. So a
// batch may be larger than what memory holds of its activations.
#pragma once

#include <cstdint>

#include "tensor/rng.h"
#include "train/batch_groups.h"
#include "train/task/task.h"

namespace vitrail {

class GradientSum;

// Over the images of the batch.
struct BatchLoss {
  double total = 0;
  Scores parts{};
};

// Leaves the gradients of the batch's loss in the parameters of the task's model; those that were there are dropped.
//
// Group g of G has the images [g B / G, (g + 1) B / G) of the batch's B (a batch of fewer than G images has fewer groups; with
// batch norm each group keeps two images, since one gives no statistics). Each group's loss is weighted by its share of the
// images there are, so that a short last batch counts like any other: a loss that is a mean over images gives, but for
// rounding, the large batch's gradient. Gradients (and in double the losses) are added in one binary tree over the group
// numbers, which needs log2 G + 1 of them at a time: ((g0 + g1) + (g2 + g3)) + g4. Random numbers are drawn from rng.at(g), or
// from rng itself if there is one group, which gives the bits of a plain pass. Batch norm: statistics per group; each group
// starts from the running statistics before the batch, and the mean of what the groups leave stays.
//
// `check_parameters`: nn::check_registered on the first group's loss. Errors: those of the task.
BatchLoss backward_in_groups(Task& task, const Batch& batch, int64_t groups, const Rng& rng, bool check_parameters = false);

// The same of a part: loss, gradients and running statistics are added up over all processes by `ranks`
// (train/ranks/gradient_sum.h), as if one process had all groups. Null: this is the only one.
BatchLoss backward_in_groups(Task& task, const SharedBatch& batch, const Rng& rng, bool check_parameters, GradientSum* ranks);

}  // namespace vitrail
