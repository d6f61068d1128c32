// A job that goes on from a checkpoint.
#pragma once

#include <memory>
#include <string>

#include "cli/train_setup.h"

namespace vitrail::cli {

// The checkpoint to go on from, its folder locked in `job`; nothing if a new run is wanted. Error(kIo) if there is none.
std::shared_ptr<FoundCheckpoint> checkpoint_of(const TrainOptions& options, TrainJob& job);

// The job of the checkpoint job.from. Error(kValue) for options that contradict what it recorded, Error(kData) for other data.
TrainJob resumed_job(const TrainOptions& options, TrainJob job);

// A model of a run, and no checkpoint of it.
bool left_by_a_run(const std::string& out);
// Whether the run that job.out holds is this one, and was killed between its first model and its first checkpoint: beginning
// anew, it comes to the same bits. Not a run that has ended, or whose checkpoints somebody removed.
bool died_before_its_checkpoint(const TrainJob& job);

}  // namespace vitrail::cli
