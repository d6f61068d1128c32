// The training loop.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "data/preprocessing.h"
#include "models/classifier.h"
#include "train/config.h"
#include "train/evaluate.h"
#include "train/not_finite.h"
#include "train/ranks/ranks.h"
#include "train/run_state.h"
#include "train/task/task.h"

namespace vitrail {

// One epoch, or the part of it that was done when the run ended.
struct EpochReport {
  int64_t epoch = 0;  // from 1
  int64_t step = 0;   // updates so far
  double train_loss = 0;
  Scores train{};                // means of the task's parts (Loss)
  double lr = 0, grad_norm = 0;  // of the last update
  double seconds = 0;            // since the start of the run
  double images_per_second = 0;  // while training in this epoch
  std::optional<Evaluation> test{};
  // Of a fixed part of the training images as they are (TrainCallbacks::clean_images). `train` is measured while the weights
  // change, with augmentation and dropout: it is often below `test`, and this one tells whether the model overfits.
  std::optional<Evaluation> clean{};
  bool best = false;  // the test gave a better first score than all before
};
// The line of metrics.jsonl (train/metrics_log.h).
std::string to_json_line(const EpochReport& report);
// "epoch 3/10  loss 0.412  top-1 85.1 %  test top-1 87.30 %, top-5 99.40 %, loss 0.3912  grad 0.83  4120 images/s  0:53";
// "validation" instead of "test" where that is what the part is (Evaluation::part).
std::string format_epoch(const EpochReport& report, int64_t epochs);

// One update.
struct StepReport {
  int64_t step = 0;   // updates so far, this one included
  double epochs = 0;  // the same in epochs: 1.5 in the middle of the second
  double loss = 0, lr = 0, grad_norm = 0;
};

struct TrainCallbacks {
  bool quiet = false;        // no progress on standard error
  std::string log_path{};    // metrics.jsonl: a line of JSON per epoch, and the same as a table beside it (.csv); empty: no log
  int64_t clean_images = 0;  // so many training images are tested after each epoch, beside the test set; 0: none
  // Memory for what the frozen start of the model makes of the pictures, in bytes (train/feature_cache.h); 0: nothing is kept.
  int64_t feature_cache_bytes = 0;
  // The processes that train together: each calls the same functions of its own Trainer, rank 0 alone has the functions below.
  RanksOptions ranks{};
  std::function<void(int64_t step, double loss)> on_step{};
  std::function<void(const StepReport&)> on_update{};
  // With EMA the model holds the averaged weights while this runs: save it here.
  std::function<void(const EpochReport&)> on_epoch{};
  // A checkpoint is due (TrainConfig::save_every and the others; SIGUSR1; the end of the run, by a signal too), after the
  // epoch's report if both are. The state shares memory with the run: write it before you return (train/checkpoint.h).
  std::function<void(const RunState&)> on_checkpoint{};
  // Loss or gradient norm is not finite; the run ends with an Error behind this.
  std::function<void(const NotFinite&)> on_not_finite{};
};

struct TrainResult {
  int64_t steps = 0;
  double seconds = 0;
  int signal = 0;  // SIGINT, SIGTERM or SIGHUP if one ended the run early, after finishing its step
  std::vector<EpochReport> history;
};

// Trains the model of a task in place. A model in evaluation is switched to training first (not what Module::freeze() froze);
// in one that is in training, parts that are in evaluation, such as a frozen batch norm, stay so over all epochs. Everything
// random is a function of config.seed: order and augmentation of the images by (seed, epoch), dropout by (seed, step). So two
// runs with the same seed give the same bits, for any number of threads.
class Trainer {
 public:
  // `test` may be null. The task must outlive the trainer. Error(kValue) if task, data and configuration do not fit;
  // Error(kIo) if the log cannot be opened.
  Trainer(Task& task, DatasetPtr train, DatasetPtr test, const TrainConfig& config, const TrainCallbacks& callbacks = {});
  ~Trainer();
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;

  // From where the run stands to its end. Afterwards the model holds the averaged weights if EMA is on, and is in evaluation
  // mode. Inside an InterruptScope a signal ends the run after the current step, or in an evaluation, with the epoch's report.
  // Error(kNumeric) if loss or gradient norm is not finite (found before the update, so the weights are the last good ones), or
  // if an update or an evaluation gives a number that is not finite; Error(kIo) if the log cannot be written.
  TrainResult run();
  // One update, and at the end of an epoch its report; false if there is none left to do.
  bool step();

  // A copy of the state between two updates, or in on_epoch.
  RunState state() const;
  // The same without a copy: its tensors are those of the run, until the next update.
  RunState view() const;
  // Goes on from there. Error(kValue) naming what differs if the state is of another task, configuration or model; then
  // nothing has been changed.
  void restore(const RunState& state);

 private:
  class Run;
  std::unique_ptr<Run> run_;
};

// A classifier in one call: the trainer of a ClassificationTask with the configuration's augmentation and label smoothing.
TrainResult train_model(models::Classifier& model, DatasetPtr train, DatasetPtr test, const Preprocessing& preprocessing,
                        const TrainConfig& config, const TrainCallbacks& callbacks = {});

// How many updates a run will do. In a model with batch norm a last batch of one image joins the batch before it.
int64_t total_steps(const TrainConfig& config, int64_t images, nn::Module& model);

}  // namespace vitrail
