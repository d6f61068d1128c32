// A run that ends when it has stopped getting better, and a note when it has never begun to.
#include "train/early_stop.h"

#include <doctest/doctest.h>

#include <cmath>
#include <functional>

#include "base/error.h"
#include "tests/support/learn_helpers.h"
#include "train/stuck_notice.h"
#include "train/task/classification.h"
#include "train/trainer.h"

using namespace vitrail;
using namespace vitrail::testing;

namespace {

Scores scores(double top1, double loss) {
  return {{"top1", "top-1", top1, ScoreUnit::kPart}, {"loss", "loss", loss, ScoreUnit::kNumber, false}};
}

TrainConfig patient(int64_t patience, double min_delta = 0, const std::string& metric = "first") {
  TrainConfig config;
  config.patience = patience, config.min_delta = min_delta, config.stop_metric = metric;
  return config;
}

// The epoch after which the run is over; 0: never.
int64_t end_of(const TrainConfig& config, const std::vector<double>& top1) {
  EarlyStop stop(config);
  for (size_t i = 0; i < top1.size(); ++i)
    if (stop.add(scores(top1[i], 1 - top1[i]), static_cast<int64_t>(i) + 1)) return static_cast<int64_t>(i) + 1;
  return 0;
}

// A run whose test never gets better after the first: the rate is too small for any weight to change an answer.
TrainConfig idle() {
  TrainConfig config = quick(20, 10);
  config.lr = config.min_lr = 1e-30, config.schedule = "constant", config.weight_decay = 0, config.patience = 3;
  return config;
}

struct Outcome {
  TrainResult result;
  RunState state;
};

Outcome run_with(const TrainConfig& config, const DatasetPtr& data) {
  const auto model = tiny_vit(data->info());
  ClassificationTask task(*model, classification_options(config, preprocessing_for(*model, data->info()), data->class_names()));
  Trainer trainer(task, data, data, config, {.quiet = true});
  TrainResult result = trainer.run();
  return {std::move(result), trainer.state()};
}

}  // namespace

TEST_CASE("early stopping: after `patience` epochs without a better test") {
  CHECK(end_of(patient(2), {0.5, 0.6, 0.6, 0.6, 0.9}) == 4);
  CHECK(end_of(patient(3), {0.5, 0.6, 0.6, 0.6, 0.9}) == 0);
  CHECK(end_of(patient(1), {0.5, 0.4}) == 2);
  CHECK(end_of(patient(0), {0.5, 0.4, 0.3, 0.2}) == 0);
}

TEST_CASE("early stopping: a test must be better by more than min_delta, and small steps add up") {
  CHECK(end_of(patient(2, 0.05), {0.50, 0.54, 0.549, 0.60}) == 3);
  CHECK(end_of(patient(3, 0.05), {0.50, 0.54, 0.56, 0.60, 0.62}) == 0);  // 0.56 is more than 0.05 above 0.50
}

TEST_CASE("early stopping: the metric may be another one, of which less is better; a wrong name lists what there is") {
  EarlyStop stop(patient(1, 0, "loss"));
  CHECK(!stop.add(scores(0.9, 2.0), 1));
  CHECK(!stop.add(scores(0.8, 1.9), 2));
  CHECK(stop.add(scores(0.99, 1.9), 3));
  CHECK(stop.describe(3) == "stopped early after epoch 3: the best is loss 1.9000 of epoch 2, 1 epoch ago");
  EarlyStop wrong(patient(1, 0, "accuracy"));
  CHECK_THROWS_WITH_AS(wrong.add(scores(0.9, 2.0), 1), doctest::Contains("no score accuracy. Hint: one of top1, loss"), Error);
}

TEST_CASE("early stopping: tests that are epochs apart count by their epochs") {
  EarlyStop stop(patient(5));
  CHECK(!stop.add(scores(0.9, 1), 4));
  CHECK(!stop.add(scores(0.9, 1), 8));
  CHECK(stop.add(scores(0.9, 1), 12));
}

TEST_CASE("a run that gets no better ends early, saves its state, and a resumed one ends at the same epoch") {
  const DatasetPtr data = glyphs(20);
  const Outcome whole = run_with(idle(), data);
  CHECK(whole.result.history.size() == 4);
  CHECK(whole.result.steps == 8);
  CHECK(whole.state.early.stopped);
  CHECK(whole.state.early.epoch == 1);
  CHECK(run_state_from_json(to_json(whole.state), "state").early == whole.state.early);

  // In two parts: stopped in the third epoch, gone on with by another trainer.
  RunState middle;
  {
    const auto model = tiny_vit(data->info());
    ClassificationTask task(*model, classification_options(idle(), preprocessing_for(*model, data->info()), data->class_names()));
    Trainer first(task, data, data, idle(), {.quiet = true});
    for (int i = 0; i < 5; ++i) first.step();
    middle = first.state();
  }
  const auto model = tiny_vit(data->info(), 7);
  ClassificationTask task(*model, classification_options(idle(), preprocessing_for(*model, data->info()), data->class_names()));
  Trainer second(task, data, data, idle(), {.quiet = true});
  second.restore(middle);
  second.run();
  CHECK(differences(second.state(), whole.state).empty());
  CHECK(!second.step());
}

TEST_CASE("early stopping needs a test, and a metric that the task has, before anything is trained") {
  const DatasetPtr data = glyphs(20);
  const auto model = tiny_vit(data->info());
  const Preprocessing preprocessing = preprocessing_for(*model, data->info());
  CHECK_THROWS_WITH_AS(train_model(*model, data, nullptr, preprocessing, idle(), {.quiet = true}),
                       doctest::Contains("patience needs images to test on"), Error);
  TrainConfig config = idle();
  config.stop_metric = "f1";
  int64_t updates = 0;
  TrainCallbacks callbacks;
  callbacks.quiet = true;
  callbacks.on_step = [&](int64_t, double) { ++updates; };
  CHECK_THROWS_WITH_AS(train_model(*model, data, data, preprocessing, config, callbacks),
                       doctest::Contains("there is no score f1. Hint: one of top1, top5, loss"), Error);
  CHECK(updates == 0);
}

TEST_CASE("the note of a loss that stays at guessing: once, with number and causes; not for a loss that falls") {
  const double guess = std::log(10);
  const auto note_at = [&](const TrainConfig& config, int64_t warmup, const std::function<double(int64_t)>& loss) {
    StuckNotice notice(config, guess, warmup);
    std::vector<int64_t> said;
    std::string text;
    for (int64_t step = 1; step <= 20000; ++step)
      if (const std::string note = notice.add(step, loss(step)); !note.empty()) said.push_back(step), text = note;
    CHECK(said.size() <= 1);
    return std::pair(said.empty() ? int64_t{0} : said.front(), text);
  };
  TrainConfig config;
  config.lr = 0.01, config.warmup = 0;
  const auto [step, text] = note_at(config, 0, [&](int64_t) { return guess; });
  CHECK(step == 200);
  CHECK(text.find("after 200 updates the loss is 2.303, and guessing gives 2.303") != std::string::npos);
  CHECK(text.find("it is 0.01; try a tenth") != std::string::npos);
  CHECK(text.find("no warm-up") != std::string::npos);
  CHECK(note_at(config, 0, [&](int64_t i) { return guess - 1e-3 * static_cast<double>(i); }).first == 0);
  CHECK(note_at(config, 1000, [&](int64_t) { return guess; }).first == 500);
  CHECK(note_at(config, 100000, [&](int64_t) { return guess; }).first == 2000);
  // One that has learnt and fallen back is found at the second look.
  CHECK(note_at(config, 0, [&](int64_t i) { return i < 900 ? 1.0 : guess; }).first == 1000);
  StuckNotice unknown(config, std::nullopt, 0);
  for (int64_t i = 1; i <= 300; ++i) CHECK(unknown.add(i, 2.3).empty());
}
