// What `vitrail train` does with --kfold and --find-lr instead of training one model.
#pragma once

#include "cli/train_job.h"

namespace vitrail::cli {

// For decoded pictures, which every run of an experiment reads again: a quarter of the memory, at most 4 GiB.
int64_t cache_bytes();

// k-fold cross-validation over the job's training images, into job.out. Prints a table. 0, or 128 + signal.
int run_kfold_job(const TrainJob& job, int64_t folds);
// The learning-rate range test. Prints its suggestions; writes lr.csv and lr.svg into job.out if there is one. 0, or 128 +
// signal.
int run_find_lr(const TrainJob& job);

}  // namespace vitrail::cli
