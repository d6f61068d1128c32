#include "train/task/for_data.h"

#include "train/task/classification.h"
#include "train/task/multi_label.h"

namespace vitrail {

const char* task_for(const DatasetInfo& info) { return info.multi_label ? kMultiLabel : kClassification; }

std::unique_ptr<Task> make_task_for(const DatasetInfo& info, models::Classifier& model, const Preprocessing& preprocessing,
                                    const TrainConfig& config) {
  if (info.multi_label)
    return std::make_unique<MultiLabelTask>(model, multi_label_options(config, preprocessing, info.class_names));
  return std::make_unique<ClassificationTask>(model, classification_options(config, preprocessing, info.class_names));
}

}  // namespace vitrail
