// Options of commands that use a trained model's task.
#pragma once

#include <optional>

#include "train/task/task.h"

namespace vitrail::cli {

extern const char* const kThresholdHelp;

// Sets the threshold of a multi-label model, if one is given. Error(kValue) naming op for a model of another task, or a
// threshold outside of (0, 1).
void set_threshold(Task& task, const std::optional<double>& threshold, const char* op);

// Answers without the model's calibration, if it has one.
void drop_calibration(Task& task);

}  // namespace vitrail::cli
