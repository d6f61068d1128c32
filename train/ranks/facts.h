// What must be the same on all ranks of a run.
#pragma once

#include "data/dataset.h"
#include "train/config.h"
#include "train/ranks/ranks.h"
#include "train/task/task.h"

namespace vitrail {

// The program's own version and configuration, the layout of the model, what the data consists of, and the update to begin
// with. `test` may be null.
Facts facts_of(Task& task, const Dataset& train, const Dataset* test, const TrainConfig& config, int64_t step,
               const GradientSumOptions& options);

}  // namespace vitrail
