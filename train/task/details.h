// What an evaluation knows beyond its scores: material for the report. A task fills what it has.
#pragma once

#include <algorithm>
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

// One class of a multi-label test, at the threshold of the task.
struct LabelResult {
  int64_t images = 0;                         // that have it
  int64_t answers = 0;                        // that are said to have it
  int64_t right = 0;                          // both
  std::optional<double> average_precision{};  // none where no image has it

  double precision() const { return answers > 0 ? static_cast<double>(right) / static_cast<double>(answers) : 0; }
  double recall() const { return images > 0 ? static_cast<double>(right) / static_cast<double>(images) : 0; }
  // 2 right / (images + answers), the harmonic mean of the two; 0 where neither has any.
  double f1() const {
    return images + answers > 0 ? 2.0 * static_cast<double>(right) / static_cast<double>(images + answers) : 0;
  }
};

// The most pictures in each of the two lists below.
constexpr size_t kMostRanked = 12;

struct EvaluationDetails {
  std::vector<std::string> class_names{};
  std::vector<LabelResult> labels{};  // of a multi-label test, one for each class
  std::optional<ConfusionMatrix> confusion{};
  std::optional<Calibration> calibration{};
  std::vector<RankedSample> worst{};  // wrong answers, the largest loss first
  std::vector<RankedSample> best{};   // right answers, the most confident one of each class, the most confident first

  // Puts a wrong answer into `worst`, behind those of the same loss; at most kMostRanked stay.
  void keep_worst(RankedSample sample) {
    const auto place = std::upper_bound(worst.begin(), worst.end(), sample,
                                        [](const RankedSample& a, const RankedSample& b) { return a.loss > b.loss; });
    worst.insert(place, std::move(sample));
    if (worst.size() > kMostRanked) worst.pop_back();
  }
};

}  // namespace vitrail
