// What a training run will cost in time, measured on a few of its own updates and tests; and how many epochs a time allows.
#pragma once

#include <cstdint>

#include "data/dataset.h"
#include "train/config.h"
#include "train/task/task.h"

namespace vitrail {

struct RunCost {
  double update = 0;  // seconds of an update, with its batch
  double test = 0;    // seconds after an epoch: the test, and that of a part of the training images
  int64_t steps_per_epoch = 0;
  int64_t peak_bytes = 0;  // of all tensors that lived meanwhile, the task's model and the data included

  // Of `steps` updates with a test after every eval_every-th epoch and at the end.
  double seconds(int64_t steps, int64_t eval_every) const;
};

// Trains for about `seconds` with this configuration, and tests for as long at most. The model's weights are changed: give one that
// is thrown away. clean_images: as in TrainCallbacks.
RunCost measure_run(Task& task, const DatasetPtr& train, const DatasetPtr& test, const TrainConfig& config, int64_t clean_images,
                    double seconds = 3);

struct FittedRun {
  int64_t epochs = 1;
  int64_t max_steps = 0;  // of that one epoch, where the time is not even enough for it; 0: all
  double seconds = 0;     // that it will take
};

// The most epochs whose updates and tests take at most `seconds`, at least one; of a single epoch that would take longer, as many
// updates as fit, at least one.
FittedRun fit_run(const RunCost& cost, int64_t eval_every, double seconds);

}  // namespace vitrail
