// The state of a training run as one value: everything that the rest of the run depends on. What is random in a run is a
// function of (seed, epoch, sample) or (seed, step), so the configuration and two counters stand for it.
//
// A run that is restored from the state at step k goes on with the bits of the undisturbed run (Trainer::state, restore).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "nn/module.h"
#include "train/config.h"
#include "train/early_stop.h"

namespace vitrail {

struct RunState {
  std::string task;    // Task::name()
  TrainConfig config;  // with the seed of order, augmentation and dropout
  int64_t step = 0;    // updates done
  int64_t epoch = 0;   // the next update is on this batch of this epoch, both from 0
  int64_t batch = 0;

  nn::StateDict weights;    // parameters and buffers of the model
  nn::StateDict optimizer;  // Optimizer::state(): moments and steps of each parameter
  // Where these lie in parts on several ranks: entry i in full, while a checkpoint is written. They then have only their dtypes
  // and shapes.
  std::function<Tensor(size_t)> optimizer_entry{};
  nn::StateDict average;  // Ema::state(); empty without EMA
  int64_t average_updates = 0;

  // Sums over the images of the epoch so far, for its report: "images", "loss", and the task's own.
  std::vector<std::pair<std::string, double>> sums;
  std::optional<double> best;  // the best first score of an evaluation
  int64_t best_step = 0;

  double grad_norm = 0;      // of the last update
  bool test_due = false;     // the epoch that ends here has not been tested yet: a signal came before
  EarlyStop::State early{};  // of early stopping
};

// All tensors of the state under one list of names: "weights.head.bias", "optimizer.exp_avg.head.bias", "average.head.bias".
// They share memory with the state.
nn::StateDict tensors_of(const RunState& state);
// All else, as a JSON object, and back: Error(kData) naming `where`, key and rule.
std::string to_json(const RunState& state);
RunState run_state_from_json(const std::string& text, const std::string& where);
// Puts the tensors of tensors_of() back into their places; they share memory. Error(kData) naming `where` and a name that
// belongs nowhere.
void set_tensors(RunState& state, const nn::StateDict& tensors, const std::string& where);
// Error(kValue), op "restore", naming what differs, unless a run whose state is `own` can go on from `given`: task,
// configuration, names, shapes and dtypes of weights and averages.
void check_fits(const RunState& given, const RunState& own);
// What differs between two states, to the bit: names of tensors and keys; empty if nothing does. `threads` does not count.
std::vector<std::string> differences(const RunState& a, const RunState& b);

}  // namespace vitrail
