// Which options of a training go together.
#pragma once

#include "cli/train_setup.h"

namespace vitrail::cli {

constexpr const char* kNoData = "--data is required. Hint: vitrail train --help shows an example.";

// Something is asked of the training, and no run comes of it.
bool nothing_is_saved(const TrainOptions& options);
// Error(kValue) naming the options of which one makes no sense with the other, or that are missing.
void check_options(const TrainOptions& options);
// The same for what is meant for one process, where there are several ranks.
void check_ranks_options(const TrainOptions& options);

}  // namespace vitrail::cli
