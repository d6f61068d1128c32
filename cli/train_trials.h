// What `vitrail train` tries before a run, or instead of one: its cost, its length for a given time, one batch.
#pragma once

#include <cstdint>

#include "cli/train_job.h"

namespace vitrail::cli {

// --dry-run: prints parameters, multiply-adds, memory and time of the job. The memory is the peak of its tensors, the time that
// of its updates and tests, both measured on some of them. Nothing is trained that is kept.
int print_estimates(const TrainJob& job);

// --minutes: sets epochs, or max_steps, of the configuration so that training and tests end within this time, and says so on
// standard error. A twentieth of the time is left for what is not measured, such as a machine that others use too.
void fit_minutes(TrainJob& job, int64_t minutes);

// --overfit-one-batch: whether the model learns one batch by heart. Prints loss, accuracy and gradient norm; saves nothing. 0
// if it does, Error(kNumeric) if not; 128 + signal.
int overfit_batch(const TrainJob& job);

}  // namespace vitrail::cli
