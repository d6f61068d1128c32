// The learning-rate range test: a short run in which the rate rises exponentially. Where the loss falls fastest is a good rate;
// where it begins to rise is too high (Smith, "Cyclical Learning Rates for Training Neural Networks", WACV 2017, section 3.3).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "train/config.h"
#include "train/task/task.h"

namespace vitrail {

struct LrFinderOptions {
  double low = 1e-6, high = 1;   // the rate of the first and of the last update
  int64_t updates = 100;         // rate i is low (high / low)^(i / (updates - 1)); an epoch that is shorter begins again
  double stop_factor = 4;        // the test ends where the loss, smoothed, is so many times the lowest one
  std::function<bool()> stop{};  // asked after each update: true ends the test there
};

struct LrPoint {
  double lr = 0;
  double loss = 0;    // of the batch, before the update with this rate
  double smooth = 0;  // a weighted mean over the neighbours, which lags neither way
};

struct LrFinding {
  std::vector<LrPoint> points;
  // Where the smoothed loss falls fastest over log(lr): bold, but sound.
  std::optional<double> steepest;
  // A tenth of the rate at which it is lowest: cautious. Nothing for both if the loss nowhere falls by more than twice its
  // noise.
  std::optional<double> tenth_of_lowest;
  bool diverged = false;  // the loss rose by stop_factor, or was not finite, before the highest rate was reached
  bool stopped = false;   // by stop()
};

// With the optimiser, batches, augmentation, clipping and loss of the configuration; its schedule is not used. The model has
// the weights, statistics and mode of before when this returns, whichever way. The result is a function of the configuration
// (with its seed) and the model, for any number of threads. Error(kValue) unless 0 < low < high, updates >= 10 and all of the
// model is trained.
LrFinding find_learning_rate(Task& task, const DatasetPtr& train, const TrainConfig& config,
                             const LrFinderOptions& options = {});

// The suggestions from the points alone; fills `smooth` too. The first tenth of the points is left out, in which nothing has
// been learnt.
void suggest(LrFinding& finding);

// "lr,loss,smooth" and a line per point.
std::string lr_finding_csv(const LrFinding& finding);
// The curve over the logarithm of the rate, with both suggestions.
std::string lr_finding_svg(const LrFinding& finding);

}  // namespace vitrail
