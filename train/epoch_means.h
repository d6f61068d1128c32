// Means over the images of an epoch: of the loss, and of what the task reports beside it.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "train/metrics.h"
#include "train/task/scores.h"

namespace vitrail {

class EpochMeans {
 public:
  using Sums = std::vector<std::pair<std::string, double>>;
  EpochMeans() = default;
  // From sums(), as a state of the run holds them.
  explicit EpochMeans(const Sums& sums) {
    if (sums.size() < 2) return;
    const double images = sums[0].second;
    loss_ = RunningMean(sums[1].second, images);
    for (size_t i = 2; i < sums.size(); ++i) {
      parts_.push_back({sums[i].first, sums[i].first});
      means_.emplace_back(sums[i].second, images);
    }
  }

  void add(double loss, const Scores& parts, double images) {
    loss_.add(loss, images);
    parts_ = parts;
    means_.resize(parts.size());
    for (size_t i = 0; i < parts.size(); ++i) means_[i].add(parts[i].value, images);
  }
  // Labels and units of the scores of the same names: a state of the run holds names alone.
  void label_like(const Scores& scores) {
    for (Score& part : parts_)
      for (const Score& score : scores)
        if (score.name == part.name) part.label = score.label, part.unit = score.unit;
  }
  double loss() const { return loss_.mean(); }
  Scores parts() const {
    Scores result = parts_;
    for (size_t i = 0; i < result.size(); ++i) result[i].value = means_[i].mean();
    return result;
  }
  // "images", "loss", then the task's own.
  Sums sums() const {
    Sums result{{"images", loss_.samples()}, {"loss", loss_.sum()}};
    for (size_t i = 0; i < parts_.size(); ++i) result.emplace_back(parts_[i].name, means_[i].sum());
    return result;
  }

 private:
  RunningMean loss_;
  Scores parts_;  // names and labels
  std::vector<RunningMean> means_;
};

}  // namespace vitrail
