#include "train/run_cost.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "tensor/storage.h"
#include "train/config_fields.h"
#include "train/evaluate.h"
#include "train/trainer.h"

namespace vitrail {

namespace {

using Clock = std::chrono::steady_clock;

double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// Seconds of testing one image.
double seconds_per_image(Task& task, const DatasetPtr& test, double seconds) {
  evaluate(task, spread_n(test, 8));  // memory and code are warm from now on
  for (int64_t images = std::min<int64_t>(256, test->size());; images = std::min(4 * images, test->size())) {
    const Clock::time_point start = Clock::now();
    evaluate(task, spread_n(test, images));
    const double taken = since(start);
    if (images == test->size() || 5 * taken > seconds) return taken / static_cast<double>(images);
  }
}

int64_t tests_of(int64_t epochs, int64_t eval_every) { return (epochs + eval_every - 1) / eval_every; }

}  // namespace

double RunCost::seconds(int64_t steps, int64_t eval_every) const {
  const int64_t epochs = (steps + steps_per_epoch - 1) / steps_per_epoch;
  return static_cast<double>(steps) * update + static_cast<double>(tests_of(epochs, eval_every)) * test;
}

RunCost measure_run(Task& task, const DatasetPtr& train, const DatasetPtr& test, const TrainConfig& config,
                    int64_t clean_images, double seconds) {
  RunCost cost;
  TrainConfig trial = config;
  trial.patience = 0;
  trial.eval_metric = trial.stop_metric = "first";  // nothing is tested on the way
  trial.max_steps = 0;
  cost.steps_per_epoch = total_steps(trial, train->size(), task.model()) / trial.epochs;
  trial.epochs = kMostEpochs;
  // Without a test set an epoch costs nothing but its updates.
  Trainer trainer(task, train, nullptr, trial, {.quiet = true});
  reset_peak_memory();
  trainer.step();
  const Clock::time_point start = Clock::now();
  int64_t steps = 0;
  do trainer.step(), ++steps;
  while (since(start) < seconds);
  cost.update = since(start) / static_cast<double>(steps);
  const int64_t clean = std::min(clean_images, train->size());
  cost.test = seconds_per_image(task, test, seconds) * static_cast<double>(test->size() + clean);
  cost.peak_bytes = memory_stats().peak_bytes;
  return cost;
}

FittedRun fit_run(const RunCost& cost, int64_t eval_every, double seconds) {
  const auto time_of = [&](int64_t epochs) { return cost.seconds(epochs * cost.steps_per_epoch, eval_every); };
  FittedRun fitted;
  if (time_of(1) > seconds) {
    const double updates = std::floor((seconds - cost.test) / cost.update);
    fitted.max_steps = std::max<int64_t>(1, static_cast<int64_t>(std::min(updates, static_cast<double>(cost.steps_per_epoch))));
    fitted.seconds = cost.seconds(fitted.max_steps, eval_every);
    return fitted;
  }
  int64_t low = 1, high = kMostEpochs;  // the time rises with the epochs
  while (low < high) {
    const int64_t middle = low + (high - low + 1) / 2;
    if (time_of(middle) <= seconds)
      low = middle;
    else
      high = middle - 1;
  }
  fitted.epochs = low;
  fitted.seconds = time_of(low);
  return fitted;
}

}  // namespace vitrail
