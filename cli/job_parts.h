// What a new job and one that is resumed are both put together from.
#pragma once

#include "cli/train_setup.h"

namespace vitrail::cli {

// Lays what was given over the settings and the recipe: first the file of --config, then the options. Error(kValue) for values
// that no field takes, or that contradict each other.
void overlay(const TrainOptions& options, TrainSettings& settings, TrainConfig& config);

// Opens the data that job.settings name, as far as they limit it; `seed` draws --max-train-samples.
void open_data(TrainJob& job, uint64_t seed);

}  // namespace vitrail::cli
