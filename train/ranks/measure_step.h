// One rank's update, measured here with the code that trains: what train/ranks/plan.h needs to know of it.
#pragma once

#include <cstdint>

#include "models/classifier.h"
#include "train/ranks/plan.h"

namespace vitrail {

struct StepToMeasure {
  int64_t images = 8, groups = 1;  // of this rank, of one update
  int64_t updates = 5;             // that are measured, after one that is not
  int64_t bucket_bytes = int64_t{4} << 20;
};

// Trains the model with AdamW on random numbers as pictures and drawn labels: forward and backward in groups, gradients into
// one array (train/ranks/gradient_sum.h), their norm, the update. The weights are changed. Nothing is read or decoded: pictures
// are there. Buckets: bytes, and the median of their leads; where only one update is measured its deviation is 0. Error(kValue)
// for a model without a head, fewer images than groups, or less than one update.
MeasuredStep measure_step(models::Classifier& model, const StepToMeasure& what);

// Seconds in which one processor adds a byte of one array of f32 to that of another, both as large as half a bucket: the median
// of several.
double measure_add_seconds(int64_t bucket_bytes = int64_t{4} << 20);

}  // namespace vitrail
