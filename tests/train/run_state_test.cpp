// The state of a run: it can be listed, compared and restored, and a restored run goes on to the same bits.
#include "train/run_state.h"

#include <doctest/doctest.h>

#include "tensor/machine/parallel.h"
#include "tests/support/learn_helpers.h"
#include "tests/support/scratch_folder.h"
#include "train/task/classification.h"
#include "train/trainer.h"

using namespace vitrail;
using namespace vitrail::testing;

namespace {

constexpr int64_t kImages = 50, kBatch = 10, kEpochs = 3;  // 15 updates, 5 an epoch

// A run with everything that has a state: dropout, augmentation, moments, EMA, a test set.
struct TestRun {
  explicit TestRun(const std::string& optimizer, uint64_t initial = 0, TrainCallbacks callbacks = {})
      : model(tiny_vit(data->info(), initial, 0.2)) {
    config = quick(kEpochs, kBatch);
    config.optimizer = optimizer;
    config.crop_padding = 2;
    config.ema_decay = 0.99;
    callbacks.quiet = true;
    task.emplace(*model, classification_options(config, preprocessing_for(*model, data->info()), data->class_names()));
    trainer.emplace(*task, data, glyphs(10, Split::kTest), config, callbacks);
  }
  void steps(int64_t n) {
    for (int64_t i = 0; i < n; ++i) REQUIRE(trainer->step());
  }

  DatasetPtr data = glyphs(kImages);
  std::unique_ptr<models::Classifier> model;
  TrainConfig config;
  std::optional<ClassificationTask> task;
  std::optional<Trainer> trainer;
};

}  // namespace

TEST_CASE("restored at any step, a run goes on to the bits of the undisturbed one") {
  for (const int64_t k : {0, 1, 4, 5, 7, 14}) {
    CAPTURE(k);
    TestRun run("adamw");
    run.steps(k);
    const RunState snapshot = run.trainer->state();
    CHECK(snapshot.step == k);
    CHECK(snapshot.epoch == k / 5);
    CHECK(snapshot.batch == k % 5);
    const TrainResult undisturbed = run.trainer->run();
    const RunState end = run.trainer->state();
    CHECK(undisturbed.steps == 15);

    // In the run itself, and in another one that started from other weights.
    run.trainer->restore(snapshot);
    CHECK(differences(run.trainer->state(), snapshot).empty());
    run.trainer->run();
    CHECK(differences(run.trainer->state(), end).empty());
    TestRun other("adamw", 7);
    other.steps(2);
    other.trainer->restore(snapshot);
    const TrainResult resumed = other.trainer->run();
    CHECK(differences(other.trainer->state(), end).empty());
    CHECK(resumed.history.back().train_loss == undisturbed.history.back().train_loss);
    CHECK(resumed.history.back().test->at("loss") == undisturbed.history.back().test->at("loss"));
  }
}

TEST_CASE("the same holds for every optimiser, and for another number of threads") {
  const int before = num_threads();
  for (const char* name : {"adam", "sgd", "lion", "rmsprop", "muon", "lamb", "lars"}) {
    CAPTURE(name);
    set_num_threads(1);
    TestRun run(name), other(name, 3);
    run.steps(8);
    other.trainer->restore(run.trainer->state());
    run.trainer->run();
    set_num_threads(3);
    other.trainer->run();
    CHECK(differences(other.trainer->state(), run.trainer->state()).empty());
  }
  set_num_threads(before);
}

TEST_CASE("a snapshot is a copy, and inside on_epoch it holds the weights, not the averages") {
  Trainer* trainer = nullptr;
  std::vector<RunState> inside;
  TrainCallbacks callbacks;
  callbacks.on_epoch = [&](const EpochReport&) { inside.push_back(trainer->state()); };
  TestRun run("adamw", 0, callbacks);
  trainer = &*run.trainer;
  run.steps(5);
  const RunState after = run.trainer->state();
  REQUIRE(inside.size() == 1);
  CHECK(differences(inside[0], after).empty());
  run.steps(1);
  CHECK(differences(inside[0], after).empty());
  CHECK(!differences(run.trainer->state(), after).empty());
}

TEST_CASE("the state lists its tensors and its numbers, and a comparison names what differs") {
  TestRun run("adamw");
  run.steps(6);
  RunState a = run.trainer->state(), b = run.trainer->state();
  const auto has = [&](const std::string& name) {
    for (const auto& [key, tensor] : tensors_of(a))
      if (key == name) return true;
    return false;
  };
  for (const char* name : {"weights.head.bias", "optimizer.exp_avg.head.bias", "optimizer.step", "average.cls_token"})
    CHECK_MESSAGE(has(name), name);
  const std::string text = to_json(a);
  for (const char* part :
       {"\"step\": 6", "\"epoch\": 1", "\"batch\": 1", "\"seed\": 0", "\"best\"", "\"sum_names\"", "\"test_due\": false"})
    CHECK_MESSAGE(text.find(part) != std::string::npos, text);
  CHECK(differences(a, b).empty());
  b.config.threads = 5;
  CHECK(differences(a, b).empty());
  b.config.lr = 1;
  b.step = 7;
  fill_(b.average[0].second, 3);
  CHECK(differences(a, b) == std::vector<std::string>{"config", "step", "average." + a.average[0].first});
}

TEST_CASE("a state that does not fit the run is refused by name, and nothing has changed") {
  TestRun run("adamw");
  run.steps(3);
  const RunState good = run.trainer->state();
  const auto refused = [&](const std::string& part, auto&& change) {
    RunState bad = run.trainer->state();
    change(bad);
    CHECK(refuses([&] { run.trainer->restore(bad); }, ErrorKind::kValue, part));
    CHECK(differences(run.trainer->state(), good).empty());
  };
  refused("another task: it is detection", [](RunState& s) { s.task = "detection"; });
  refused("another configuration", [](RunState& s) { s.config.seed = 9; });
  refused("step is outside [0, 15]: it is 16", [](RunState& s) { s.step = 16; });
  refused("step 3 is not batch 2 of epoch 0", [](RunState& s) { s.batch = 2; });
  refused("weights: given is cls_token [5]", [](RunState& s) { s.weights[0].second = zeros({5}); });
  refused("average has 0 tensors", [](RunState& s) { s.average.clear(); });
  refused("state does not fit this adamw", [](RunState& s) { s.optimizer.pop_back(); });
}
