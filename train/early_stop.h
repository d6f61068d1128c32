// When a run has stopped getting better.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "train/config.h"
#include "train/task/scores.h"
#include "train/task/task.h"

namespace vitrail {

// Watches one score of the tests of a run: TrainConfig::stop_metric, or the first (eval_metric). A score counts as better if it
// beats the best that counted by more than min_delta. After `patience` epochs without such a test the run is over (Prechelt,
// "Early stopping
// - but when?", 1998, the criterion UP in its simplest form).
class EarlyStop {
 public:
  // The part of a run's state that it keeps.
  struct State {
    std::optional<double> best;
    int64_t epoch = 0;  // of that test, from 1
    bool stopped = false;
    friend bool operator==(const State&, const State&) = default;
  };

  explicit EarlyStop(const TrainConfig& config);

  bool on() const { return patience_ > 0; }
  // A test after this epoch, from 1; whether the run is over. Error(kValue) naming the scores there are if none is called so.
  bool add(const Scores& scores, int64_t epoch);
  bool stopped() const { return state_.stopped; }
  const State& state() const { return state_; }
  void restore(const State& state) { state_ = state; }
  // "stopped early after epoch 12: the best is top-1 91.20 % of epoch 7, 5 epochs ago"
  std::string describe(int64_t epoch) const;

 private:
  int64_t patience_;
  double min_delta_;
  std::string metric_;
  State state_;
  Score watched_;  // as the last test gave it
};

// Error(kValue) if the configuration asks for a score of tests, and there are none, or none that is called so: told before the
// first update, not after the first epoch.
void check_scores(Task& task, const DatasetPtr& test, const TrainConfig& config);

}  // namespace vitrail
