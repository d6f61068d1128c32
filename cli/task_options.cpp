#include "cli/task_options.h"

#include "base/error.h"
#include "base/text.h"
#include "train/task/classification.h"
#include "train/task/multi_label.h"

namespace vitrail::cli {

const char* const kThresholdHelp = "Of a multi-label model: from which probability a class is said (0.5)";

void set_threshold(Task& task, const std::optional<double>& threshold, const char* op) {
  if (!threshold) return;
  auto* labels = dynamic_cast<MultiLabelTask*>(&task);
  check(labels != nullptr, ErrorKind::kValue, op, "--threshold is for multi-label models: the task of this one is ",
        escaped(task.name()), ".");
  labels->set_threshold(*threshold);
}

void drop_calibration(Task& task) {
  if (auto* classes = dynamic_cast<ClassificationTask*>(&task)) classes->drop_calibration();
}

}  // namespace vitrail::cli
