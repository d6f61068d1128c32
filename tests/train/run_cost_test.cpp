// How long a run takes, how many epochs fit into a time, and one batch learnt by heart.
#include "train/run_cost.h"

#include <doctest/doctest.h>

#include <variant>

#include "base/error.h"
#include "data/loader.h"
#include "tensor/ops.h"
#include "tensor/storage.h"
#include "tests/support/learn_helpers.h"
#include "train/overfit.h"
#include "train/task/classification.h"

using namespace vitrail;
using namespace vitrail::testing;

namespace {

ClassificationTask task_for(models::Classifier& model, const DatasetPtr& data, const TrainConfig& config) {
  return ClassificationTask(model, classification_options(config, preprocessing_for(model, data->info()), data->class_names()));
}

Batch batch_of(const Task& task, const DatasetPtr& data) {
  return make_loader(task, data, {.batch_size = data->size(), .train = false}).batch(0, 0);
}

}  // namespace

TEST_CASE("cost of a run: its updates, and a test after every eval_every-th epoch and at the end") {
  const RunCost cost{.update = 0.5, .test = 10, .steps_per_epoch = 20};
  CHECK(cost.seconds(20, 1) == 20);
  CHECK(cost.seconds(60, 1) == 60);
  CHECK(cost.seconds(60, 2) == 50);  // after the second and the third
  CHECK(cost.seconds(5, 1) == 12.5);
}

TEST_CASE("epochs for a time: the most that fit with their tests, at least a part of one") {
  const RunCost cost{.update = 0.5, .test = 10, .steps_per_epoch = 20};
  CHECK(fit_run(cost, 1, 65).epochs == 3);
  CHECK(fit_run(cost, 1, 65).seconds == 60);
  CHECK(fit_run(cost, 1, 60).epochs == 3);
  CHECK(fit_run(cost, 1, 59.9).epochs == 2);
  CHECK(fit_run(cost, 3, 60).epochs == 4);  // 40 of updates, 20 of tests
  CHECK(fit_run(cost, 1, 60).max_steps == 0);
  const FittedRun part = fit_run(cost, 1, 15);
  CHECK(part.epochs == 1);
  CHECK(part.max_steps == 10);
  CHECK(part.seconds == 15);
  CHECK(fit_run(cost, 1, 1).max_steps == 1);
  for (int64_t seconds = 20; seconds < 4000; seconds += 37) {
    const FittedRun fitted = fit_run(cost, 1, static_cast<double>(seconds));
    CHECK(fitted.seconds <= static_cast<double>(seconds));
    CHECK(cost.seconds((fitted.epochs + 1) * 20, 1) > static_cast<double>(seconds));
  }
}

TEST_CASE("measuring a run counts its steps an epoch and leaves batch sizes, mixing and early stopping alone") {
  const DatasetPtr data = glyphs(50);
  const auto model = tiny_vit(data->info());
  TrainConfig config = quick(3, 20);
  config.patience = 2, config.mixup = 0.8, config.max_steps = 2;
  config.eval_metric = "top5", config.stop_metric = "loss";
  ClassificationTask task = task_for(*model, data, config);
  const RunCost cost = measure_run(task, data, data, config, 10, 0.05);
  CHECK(cost.steps_per_epoch == 3);
  CHECK(cost.update > 0);
  CHECK(cost.test > 0);
}

TEST_CASE("the memory of a run, measured on a few of its updates, is within a fifth of the peak of its tensors") {
  struct Case {
    const char* model;
    int64_t side, batch;
    const char* optimizer;
    double ema;
  };
  for (const Case& c : {Case{"vit_fashion", 28, 128, "adamw", 0},
                        {"cct_2_3x2_d64", 28, 64, "sgd", 0},
                        {"vit_fashion_p7", 28, 32, "lion", 0.9}}) {
    CAPTURE(std::string(c.model));
    const DatasetPtr data = glyphs(256);
    const auto model = models::make_model(c.model, Rng(1), {.num_classes = data->num_classes()});
    TrainConfig config = quick(1, c.batch);
    config.optimizer = c.optimizer, config.ema_decay = c.ema;
    ClassificationTask task = task_for(*model, data, config);
    const DatasetPtr test = first_n(data, 64);
    const auto estimate = static_cast<double>(measure_run(task, data, test, config, 10, 0.01).peak_bytes);
    reset_peak_memory();
    Trainer(task, data, test, config, {.quiet = true}).run();
    const auto peak = static_cast<double>(memory_stats().peak_bytes);
    CHECK_MESSAGE(estimate > 0.8 * peak, estimate, " of ", peak);
    CHECK_MESSAGE(estimate < 1.2 * peak, estimate, " of ", peak);
  }
}

TEST_CASE(
    "one batch is learnt by heart, with dropout in the model's configuration taken out; a rate of nothing learns nothing") {
  const DatasetPtr data = glyphs(32);
  const auto with = tiny_vit(data->info(), 1, 0.3);
  const auto model = models::make_model(without_dropout(models::config_from_json(with->config_json())), Rng(1));
  CHECK(std::get<models::ViTConfig>(models::config_from_json(model->config_json())).proj_drop_rate == 0);
  CHECK(std::get<models::ViTConfig>(models::config_from_json(model->config_json())).drop_path_rate == 0);
  TrainConfig config = quick(1, 32);
  config.lr = 2e-3, config.label_smoothing = 0.1, config.mixup = 0.8, config.warmup = 0.5;
  const TrainConfig plain = overfit_config(config);
  CHECK(plain.label_smoothing == 0);
  CHECK(plain.mixup == 0);
  CHECK(plain.schedule == "constant");
  CHECK(plain.lr == 2e-3);
  ClassificationTask task = task_for(*model, data, plain);
  int64_t seen = 0;
  const OverfitResult result = overfit_one_batch(task, batch_of(task, data), plain, [&](const OverfitStep&) { ++seen; });
  CHECK(result.learnt);
  CHECK(result.last.parts.front().value == 1);
  CHECK(result.last.loss < result.first_loss);
  CHECK(seen == result.last.step + 1);
  CHECK(result.last.step < kMostOverfitSteps);

  TrainConfig idle = plain;
  idle.lr = 1e-12;
  const auto fresh = tiny_vit(data->info());
  ClassificationTask other = task_for(*fresh, data, idle);
  const OverfitResult nothing = overfit_one_batch(other, batch_of(other, data), idle, {}, 5);
  CHECK(!nothing.learnt);
  CHECK(nothing.last.step == 5);
}

TEST_CASE("one batch with labels that contradict each other cannot be learnt by heart") {
  const DatasetPtr data = glyphs(8);
  const auto model = tiny_vit(data->info());
  TrainConfig config = overfit_config(quick(1, 8));
  ClassificationTask task = task_for(*model, data, config);
  Batch batch = batch_of(task, data);
  // The same picture eight times, with two labels.
  for (int64_t i = 0; i < 8; ++i) batch.labels.mutable_data<int64_t>()[i] = i % 2;
  batch.images = contiguous(expand(slice(batch.images, 0, 0, 1), batch.images.shape()));
  const OverfitResult result = overfit_one_batch(task, batch, config, {}, 60);
  CHECK(!result.learnt);
  CHECK(result.last.loss > 0.6);  // ln 2 is the least
}
