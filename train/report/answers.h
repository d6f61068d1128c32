// The parts of a report that show what a classifier answers: confusions, classes, calibration.
#pragma once

#include <string>

#include "train/task/details.h"

namespace vitrail::report {

// The matrix as a drawing (up to 100 classes), and the most frequent confusions as a table.
std::string confusion_html(const EvaluationDetails& details);
// A table: images, precision, recall, F1 of each class.
std::string classes_html(const EvaluationDetails& details);
// A table of a multi-label test: images, average precision, precision, recall, F1 of each class.
std::string labels_html(const EvaluationDetails& details);
// Reliability diagram with the expected calibration error, what it means, and the same as a table.
std::string calibration_html(const Calibration& calibration);

}  // namespace vitrail::report
