// The training loop: it learns, it is a function of its seed, it stops before it breaks anything.
#include "train/trainer.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>

#include "autograd/ops.h"
#include "base/file.h"
#include "base/json.h"
#include "tensor/machine/parallel.h"
#include "tests/support/learn_helpers.h"
#include "train/interrupt.h"
#include "train/task/classification.h"

using namespace vitrail;
using namespace vitrail::testing;

namespace {

TrainResult train(models::Classifier& model, const DatasetPtr& data, const TrainConfig& config, TrainCallbacks callbacks = {}) {
  callbacks.quiet = true;
  return train_model(model, data, nullptr, preprocessing_for(model, data->info()), config, callbacks);
}

bool same_bits(nn::Module& a, nn::Module& b) {
  const nn::StateDict x = a.state_dict(), y = b.state_dict();
  bool same = x.size() == y.size();
  for (size_t i = 0; same && i < x.size(); ++i) same = x[i].first == y[i].first && bit_equal(x[i].second, y[i].second);
  return same;
}

// Test pictures that take so long that the grace time of an update would be over; a signal comes as the first is read.
class Slow : public Dataset {
 public:
  explicit Slow(DatasetPtr whole) : Dataset(whole->info()), whole_(std::move(whole)) {}
  int64_t size() const override { return whole_->size(); }
  Sample sample(int64_t index) const override {
    if (index == 0) {
      raise(SIGTERM);
      for (int i = 0; i < 50; ++i) usleep(100000);
    }
    return whole_->sample(index);
  }
  int64_t label(int64_t index) const override { return whole_->label(index); }

 private:
  DatasetPtr whole_;
};

}  // namespace

TEST_CASE("a test that takes long is not what a signal waits for in vain: its epoch is saved, and owes the test") {
  signal(SIGTERM, SIG_DFL);
  const DatasetPtr data = glyphs(20);
  const auto model = tiny_vit(data->info());
  ClassificationTask task(*model, {preprocessing_for(*model, data->info()), data->class_names(), {}, 0});
  const InterruptScope interrupts;
  TrainCallbacks callbacks;
  callbacks.quiet = true;
  std::optional<RunState> saved;
  callbacks.on_checkpoint = [&](const RunState& state) { saved = state; };
  Trainer trainer(task, data, std::make_shared<Slow>(glyphs(20, Split::kTest)), quick(2, 10), callbacks);
  const TrainResult result = trainer.run();  // with the grace time of an update this process would be gone
  CHECK(result.signal == SIGTERM);
  REQUIRE(saved.has_value());
  CHECK(saved->step == 2);
  CHECK(saved->test_due);
}

TEST_CASE("--save-steps counts updates, also those that end an epoch") {
  const DatasetPtr data = glyphs(20);
  const auto model = tiny_vit(data->info());
  ClassificationTask task(*model, {preprocessing_for(*model, data->info()), data->class_names(), {}, 0});
  TrainCallbacks callbacks;
  callbacks.quiet = true;
  std::vector<int64_t> saved;
  callbacks.on_checkpoint = [&](const RunState& state) { saved.push_back(state.step); };
  TrainConfig config = quick(5, 10);  // two updates an epoch
  config.save_every = 0, config.save_steps = 4;
  Trainer(task, data, nullptr, config, callbacks).run();
  CHECK(saved == std::vector<int64_t>{4, 8, 10});
}

TEST_CASE("32 glyphs are learnt by heart") {
  const DatasetPtr data = glyphs(32);
  const auto model = tiny_vit(data->info());
  TrainConfig config = quick(100, 32);
  config.lr = 5e-3;
  config.weight_decay = 0;
  train(*model, data, config);
  const Evaluation result = evaluate(*model, data, preprocessing_for(*model, data->info()));
  CHECK(result.at("top1") == 1);
  CHECK(result.at("top5") == 1);
  CHECK(result.images == 32);
  CHECK(result.at("loss") < 0.5);
}

TEST_CASE("20 updates with dropout give the same bits for 1, 2 and 4 threads, and once more") {
  const int before = num_threads();
  const DatasetPtr data = glyphs(16);
  std::unique_ptr<models::Classifier> first;
  for (int threads : {1, 2, 4, 1}) {
    set_num_threads(threads);
    auto model = tiny_vit(data->info(), 0, 0.2);
    TrainConfig config = quick(10, 8);
    config.crop_padding = 2;
    CHECK(train(*model, data, config).steps == 20);
    if (!first)
      first = std::move(model);
    else
      CHECK(same_bits(*first, *model));
  }
  set_num_threads(before);
}

TEST_CASE("another seed gives another run") {
  const DatasetPtr data = glyphs(40);
  const auto a = tiny_vit(data->info()), b = tiny_vit(data->info());
  TrainConfig config = quick(1, 10);
  train(*a, data, config);
  config.seed = 1;
  train(*b, data, config);
  CHECK(!same_bits(*a, *b));
}

TEST_CASE("frozen parameters keep their bits in a run") {
  const DatasetPtr data = glyphs(20);
  const auto model = tiny_vit(data->info()), fresh = tiny_vit(data->info());
  const auto frozen = [](const std::string& name) { return name.rfind("head", 0) != 0; };
  for (auto& [name, parameter] : model->named_parameters()) parameter->set_requires_grad(!frozen(name));
  train(*model, data, quick(2, 10));
  const nn::StateDict now = model->state_dict(), then = fresh->state_dict();
  for (size_t i = 0; i < now.size(); ++i) CHECK(bit_equal(now[i].second, then[i].second) == frozen(now[i].first));
}

TEST_CASE("a weight that is not a number stops the run before the update, with the step in the message") {
  const DatasetPtr data = glyphs(20);
  const auto model = tiny_vit(data->info());
  TrainCallbacks callbacks;
  callbacks.on_step = [&](int64_t step, double) {
    if (step == 1) fill_(model->named_parameters()[0].parameter->value(), std::nan(""));
  };
  try {
    train(*model, data, quick(5, 10), callbacks);
    FAIL("went on");
  } catch (const Error& e) {
    CHECK(e.kind() == ErrorKind::kNumeric);
    CHECK_MESSAGE(std::string(e.what()).find("loss is not finite at step 1") != std::string::npos, e.what());
  }
  for (auto& [name, tensor] : model->state_dict())
    if (name.rfind("head", 0) == 0) CHECK(std::isfinite(sum(tensor).item()));
}

TEST_CASE("max_steps ends a run within an epoch, and the report says so") {
  const DatasetPtr data = glyphs(50);
  const auto model = tiny_vit(data->info());
  TrainConfig config = quick(10, 10);
  config.max_steps = 7;
  const TrainResult result = train(*model, data, config);
  CHECK(result.steps == 7);
  CHECK(result.history.size() == 2);
  CHECK(result.history.back().step == 7);
  CHECK(total_steps(quick(3, 20), 50, *model) == 9);
}

TEST_CASE("a signal ends the run after the step, with the epoch's report") {
  const DatasetPtr data = glyphs(100);
  const auto model = tiny_vit(data->info());
  const InterruptScope scope;
  TrainCallbacks callbacks;
  int saved = 0;
  callbacks.on_step = [](int64_t step, double) {
    if (step == 3) kill(getpid(), SIGTERM);
  };
  callbacks.on_epoch = [&](const EpochReport&) { ++saved; };
  const TrainResult result = train(*model, data, quick(10, 10), callbacks);
  CHECK(result.signal == SIGTERM);
  CHECK(result.steps == 3);
  CHECK(saved == 1);
}

TEST_CASE("a signal of one scope does not end the runs after it") {
  {
    const InterruptScope scope;
    kill(getpid(), SIGINT);
    CHECK(interrupt_signal() == SIGINT);
  }
  CHECK(interrupt_signal() == 0);
}

TEST_CASE("with EMA the model ends with the average, not with the last weights") {
  const DatasetPtr data = glyphs(20);
  const auto plain = tiny_vit(data->info()), averaged = tiny_vit(data->info());
  TrainConfig config = quick(2, 10);
  train(*plain, data, config);
  config.ema_decay = 0.99;
  Tensor shown;
  TrainCallbacks callbacks;
  callbacks.on_epoch = [&](const EpochReport&) { shown = clone(averaged->state_dict().back().second); };
  train(*averaged, data, config, callbacks);
  CHECK(!same_bits(*plain, *averaged));
  CHECK(bit_equal(shown, averaged->state_dict().back().second));
}

TEST_CASE("every epoch leaves a line of JSON") {
  const std::string path = (std::filesystem::temp_directory_path() / cat("vitrail_log_", getpid(), ".jsonl")).string();
  const DatasetPtr data = glyphs(20);
  const auto model = tiny_vit(data->info());
  TrainCallbacks callbacks;
  callbacks.quiet = true;
  callbacks.log_path = path;
  train_model(*model, data, data, preprocessing_for(*model, data->info()), quick(2, 10), callbacks);
  const std::string text = read_text_file(path);
  std::filesystem::remove(path);
  const JsonDocument document(text.substr(text.find('\n') + 1), "log");
  JsonObject second(document.root(), "log");
  CHECK(second.integer("epoch", 2, 2) == 2);
  CHECK(second.integer("step", 4, 4) == 4);
  CHECK(second.integer("test_images", 20, 20) == 20);
  CHECK(to_json_line({.train_loss = std::nan("")}).find("\"train_loss\":\"NaN\"") != std::string::npos);
}

TEST_CASE("data that does not fit the model is refused before the first step") {
  const DatasetPtr data = glyphs(10);
  DatasetInfo info = data->info();
  info.class_names.pop_back();
  const auto model = tiny_vit(info);
  CHECK_THROWS_WITH_AS(train(*model, data, quick(1, 10)), doctest::Contains("model has 19, glyphs has 20"), Error);
  CHECK_THROWS_WITH_AS(evaluate(*model, data, preprocessing_for(*model, info)), doctest::Contains("different classes"), Error);
}
