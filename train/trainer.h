// The training loop, and the test of a model on a data set.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "data/preprocessing.h"
#include "models/classifier.h"
#include "train/config.h"

namespace vitrail {

struct Evaluation {
  double top1 = 0, top5 = 0;  // parts in [0, 1]
  double loss = 0;            // cross-entropy without label smoothing
  int64_t images = 0;
};

// Runs every image of the data set through the model once, in evaluation mode and without gradients; every module has its own
// mode back afterwards. The result does not depend on the number of threads. Error(kValue) if the model has other classes than the data.
Evaluation evaluate(models::Classifier& model, DatasetPtr dataset, const Preprocessing& preprocessing,
                    int64_t batch_size = 256);

// The data set's own statistics, at the size and with the channels that the model wants.
Preprocessing preprocessing_for(const models::Classifier& model, const DatasetInfo& info);

// One epoch, or the part of it that was done when the run ended.
struct EpochReport {
  int64_t epoch = 0;  // from 1
  int64_t step = 0;   // updates so far
  double train_loss = 0, train_top1 = 0;
  double lr = 0, grad_norm = 0;  // of the last update
  double seconds = 0;            // since the start of the run
  double images_per_second = 0;  // while training in this epoch
  std::optional<Evaluation> test{};
};
// One line of JSON. What is not finite is written as "NaN" or "Infinity".
std::string to_json_line(const EpochReport& report);
// "epoch 3/10  loss 0.412  top-1 85.1 %  test 87.3 % (top-5 99.4 %)  4120 images/s  0:53"
std::string format_epoch(const EpochReport& report, int64_t epochs);

struct TrainCallbacks {
  bool quiet = false;      // no progress on standard error
  std::string log_path{};  // a line of JSON per epoch is appended here; empty: no log
  std::function<void(int64_t step, double loss)> on_step{};
  // With EMA the model holds the averaged weights while this runs: save it here.
  std::function<void(const EpochReport&)> on_epoch{};
};

struct TrainResult {
  int64_t steps = 0;
  double seconds = 0;
  int signal = 0;  // SIGINT, SIGTERM or SIGHUP if one ended the run early, after finishing its step
  std::vector<EpochReport> history;
};

// Trains `model` in place. A model in evaluation is switched to training first (not what Module::freeze() froze); in one that
// is in training, parts that are in evaluation, such as a frozen batch norm, stay so over all epochs. Everything random is a function of config.seed: order and augmentation of the images by (seed,
// epoch), dropout by (seed, step). So two runs with the same seed give the same bits, for any number of threads.
// Afterwards the model holds the averaged weights if EMA is on, and is in evaluation mode. `test` may be null.
// Inside an InterruptScope a signal ends the run after the current step.
// Error(kNumeric) if loss or gradient norm is not finite: found before the update, so the weights are the last good ones.
// Error(kValue) if model, data and configuration do not fit, or if a parameter in the loss is not registered in the model; Error(kIo) if the log cannot be written.
TrainResult train_model(models::Classifier& model, DatasetPtr train, DatasetPtr test, const Preprocessing& preprocessing,
                        const TrainConfig& config, const TrainCallbacks& callbacks = {});

// How many updates train_model will do. In a model with batch norm a last batch of one image joins the batch before it.
int64_t total_steps(const TrainConfig& config, int64_t images, models::Classifier& model);

}  // namespace vitrail
