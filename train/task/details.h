// What an evaluation knows beyond its scores: material for the report. A task fills what it has.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "train/calibration.h"
#include "train/metrics.h"

namespace vitrail {

// One picture of the data set with what the model said of it.
struct RankedSample {
  int64_t index = -1;         // in the data set
  std::string truth, answer;  // for people
  double confidence = 0;      // probability of the answer
  double loss = 0;
};

struct EvaluationDetails {
  std::vector<std::string> class_names{};
  std::optional<ConfusionMatrix> confusion{};
  std::optional<Calibration> calibration{};
  std::vector<RankedSample> worst{};  // wrong answers, the largest loss first
  std::vector<RankedSample> best{};   // right answers, the most confident one of each class, the most confident first
};

// The most pictures in one of the lists above.
constexpr size_t kMostRanked = 12;

}  // namespace vitrail
