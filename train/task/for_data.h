// The task that a data set is for.
#pragma once

#include <memory>

#include "models/classifier.h"
#include "train/config.h"
#include "train/task/task.h"

namespace vitrail {

// Its name: kMultiLabel for a multi-label set, else kClassification.
const char* task_for(const DatasetInfo& info);
// The task with the configuration's augmentation, label smoothing and class weights. The model must outlive it. Error(kValue)
// if model, data and configuration do not fit.
std::unique_ptr<Task> make_task_for(const DatasetInfo& info, models::Classifier& model, const Preprocessing& preprocessing,
                                    const TrainConfig& config);

}  // namespace vitrail
