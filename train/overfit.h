// Whether learning works at all: one batch, learnt by heart.
#pragma once

#include <cstdint>
#include <functional>

#include "models/presets.h"
#include "train/config.h"
#include "train/task/task.h"

namespace vitrail {

// The recipe without what hinders learning by heart: augmentation, smoothing, weights of classes, averaging, decay of the weights; the rate
// is the recipe's highest one throughout. The optimiser and its other settings stay.
TrainConfig overfit_config(const TrainConfig& config);
// The same model without dropout and stochastic depth.
models::ModelConfig without_dropout(models::ModelConfig model);

struct OverfitStep {
  int64_t step = 0;  // updates so far
  double loss = 0;   // before this update, as are the others
  Scores parts;      // of the batch: its accuracy
  double grad_norm = 0;
};
struct OverfitResult {
  bool learnt = false;  // all of the batch is answered right: its first part is 1 (without one: the loss is a tenth of the first)
  OverfitStep last;
  double first_loss = 0;
};

constexpr int64_t kMostOverfitSteps = 500;

// Trains the task's model on the batch until it is learnt, for at most so many updates. A model that cannot learn this by heart cannot
// learn anything: labels, rate, or code are wrong. Error(kNumeric) if the loss is not finite.
OverfitResult overfit_one_batch(Task& task, const Batch& batch, const TrainConfig& config,
                                const std::function<void(const OverfitStep&)>& on_step = {},
                                int64_t most_steps = kMostOverfitSteps);

}  // namespace vitrail
