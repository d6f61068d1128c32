#include "train/early_stop.h"

#include "base/text.h"
#include "train/evaluate.h"
#include "train/interrupt.h"

namespace vitrail {

EarlyStop::EarlyStop(const TrainConfig& config)
    : patience_(config.patience), min_delta_(config.min_delta), metric_(config.stop_metric) {}

bool EarlyStop::add(const Scores& scores, int64_t epoch) {
  if (!on() || scores.empty()) return false;
  watched_ = metric_ == "first" ? scores.front() : find_score(scores, metric_);
  const double sign = watched_.larger_is_better ? 1 : -1;
  if (!state_.best || sign * (watched_.value - *state_.best) > min_delta_)
    state_.best = watched_.value, state_.epoch = epoch;
  else
    state_.stopped = epoch - state_.epoch >= patience_;
  return state_.stopped;
}

std::string EarlyStop::describe(int64_t epoch) const {
  Score best = watched_;
  best.value = state_.best.value_or(0);
  std::string text =
      cat("stopped early after epoch ", epoch, ": the best is ", format_scores({best}, 4), " of epoch ", state_.epoch);
  if (min_delta_ > 0) text += cat(" (min_delta ", min_delta_, ")");
  return text + cat(", ", epoch - state_.epoch, epoch - state_.epoch == 1 ? " epoch" : " epochs", " ago");
}

void check_scores(Task& task, const DatasetPtr& test, const TrainConfig& config) {
  check(config.patience == 0 || test != nullptr, ErrorKind::kValue, "train", "patience needs images to test on: it is ",
        config.patience, ".");
  check(config.eval_metric == "first" || test != nullptr, ErrorKind::kValue, "train",
        "eval_metric needs images to test on: it is ", quote(config.eval_metric), ".");
  try {
    for (const std::string& name : {config.eval_metric, config.patience > 0 ? config.stop_metric : "first"})
      if (name != "first") find_score(evaluate(task, first_n(test, 1)).all(), name);
  } catch (const Interrupted&) {  // the first update sees the signal
  }
}

}  // namespace vitrail
