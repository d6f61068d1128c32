// A temperature that makes a classifier's probabilities mean what they say, and the probability below which it had better not
// answer.
#pragma once

#include <cstdint>
#include <vector>

#include "models/weights/save.h"
#include "train/task/task.h"

namespace vitrail {

// What a model says of each picture of a set.
struct LogitSet {
  Tensor logits;                // f64 [N, K]
  std::vector<int64_t> labels;  // N
};

// The logits of a classification task over the whole set, in evaluation mode and without gradients. Error(kValue) if the data does
// not fit. Inside an InterruptScope a signal ends it by throwing Interrupted.
LogitSet logits_of(Task& task, const DatasetPtr& data, int64_t batch_size = 256);

struct CalibrationReport {
  AnswerCalibration found;  // its data is left to the caller
  double loss_before = 0, loss_after = 0;  // mean of -log p of the right class
  double accuracy = 0;
  double kept = 0;     // of the right answers: not unknown
  double refused = 0;  // of the wrong answers: unknown
};

// temperature: that of the least log loss (Guo et al., arXiv:1706.04599, section 4.2; calibrated_scale() of train/probe/scale.h).
// unknown_below: at that temperature, the largest value that leaves at least `share` of the right answers at or above it, less a
// millionth, since other programs round otherwise. Error(kValue) unless share is in (0, 1] (check_share()); Error(kData) if no
// answer is right.
void check_share(double share);
CalibrationReport calibrate_answers(const LogitSet& set, double share = 0.95);

}  // namespace vitrail
