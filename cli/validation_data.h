// The part of a data set by which a command chooses: how to calibrate a model, which models to average.
#pragma once

#include <string>

#include "cli/data_options.h"
#include "data/dataset.h"
#include "models/weights/save.h"

namespace vitrail::cli {

// The validation part, in the model's size, its labels those of the model; where there is none the test part, which is said on
// standard error. `limit` images of it; 0: all. Errors of open_source() and with_classes().
DatasetPtr validation_data(const std::string& path, const DataFlags& files, int64_t limit, const ModelCard& card);

}  // namespace vitrail::cli
