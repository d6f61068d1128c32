// What frozen features are worth: three classifiers on them, none of which needs to be tuned by hand.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "train/probe/features.h"

namespace vitrail {

struct ProbeResult {
  std::string method;   // ridge, logistic, knn
  std::string setting;  // what was chosen: "penalty 0.1 N", "20 neighbours"
  // Part of the training pictures that are named right by a fit without them: leaving one out (ridge, knn), or in folds
  // (logistic).
  double held_out_accuracy = 0;
  double test_accuracy = 0, test_loss = 0;  // log loss
  double seconds = 0;
  std::optional<nn::LinearValues> head;  // of the linear ones
};

struct ProbeReport {
  std::vector<ProbeResult> results;  // ridge regression, logistic regression, k nearest neighbours
  size_t best_linear = 0;            // by the held-out accuracy, of equal ones the first: the test part has no say in it
};

// Fits on the features of training pictures and asks for those of the test pictures. Error(kValue) if a label is outside [0,
// classes), if the widths differ, or fewer than 2 training pictures or 2 classes are there.
ProbeReport run_probes(const FeatureSet& train, const FeatureSet& test, int64_t classes);

}  // namespace vitrail
