// What a test of a multi-label model measures.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "train/task/task.h"

namespace vitrail {

// Scores, with p = sigmoid(logit) and a class being said where p >= threshold:
//   map          mean over the classes that some image has of average_precision() (train/average_precision.h)
//   micro_f1     2 TP / (2 TP + FP + FN), counted over all images and classes
//   macro_f1     mean over the classes of their F1; a class that no image has and none is said to have is left out
//   exact_match  part of the images whose set of classes is right
//   loss         binary cross-entropy, mean over images and classes, without label smoothing or weights
// The logits of all images are kept: 5 bytes for each image and class.
std::unique_ptr<Metric> make_multi_label_metric(std::vector<std::string> class_names, double threshold);

// The text of a set of classes: "cat, dog", or "none".
std::string set_text(const std::vector<std::string>& class_names, const std::vector<int64_t>& classes);

}  // namespace vitrail
