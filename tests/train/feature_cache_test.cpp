// Activations of frozen parts kept over the epochs: the bits of a run without them, and when nothing is kept.
#include "train/feature_cache.h"

#include <doctest/doctest.h>

#include "autograd/modes.h"
#include "data/loader.h"
#include "models/vit.h"
#include "tests/support/learn_helpers.h"
#include "tests/support/model_test.h"
#include "train/task/classification.h"

using namespace vitrail;
using namespace vitrail::testing;

namespace {

constexpr int64_t kPlenty = int64_t{1} << 30;

TrainConfig config_for(const std::string& trainable) {
  TrainConfig c = quick(3, 16);
  c.trainable = trainable, c.trainable_blocks = 1, c.lr = 3e-3;
  return c;
}

struct Ended {
  RunState state;
  std::vector<double> losses, tests, cleans;
};

std::unique_ptr<models::Classifier> model_of(const std::string& kind, const DatasetPtr& data, uint64_t seed) {
  if (kind == "vit") return tiny_vit(data->info(), seed, 0.1);
  Rng rng(seed);
  return models::make_model(kind, rng, {data->channels(), data->height(), data->width(), data->num_classes()});
}

// Whether a run would keep anything: else a comparison with one that keeps nothing shows nothing.
bool keeps_features(const std::string& kind, const TrainConfig& config, const DatasetPtr& data) {
  const auto model = model_of(kind, data, 1);
  ClassificationTask task(*model, classification_options(config, preprocessing_for(*model, data->info()), data->class_names()));
  CHECK(feature_cache_obstacle(task, config, data->size()).empty());  // it chooses the trained part, too
  FeatureCache cache(task, config, {.batch_size = config.batch_size}, kPlenty);
  task.model().train();
  Loader pictures = make_loader(task, data, {.batch_size = config.batch_size});
  return !cache.start(pictures, nullptr, nullptr).empty();
}

Ended ended(const std::string& model_kind, const TrainConfig& config, int64_t cache, const DatasetPtr& data,
            const DatasetPtr& test, const RunState* from = nullptr, int64_t steps = 1000) {
  const std::unique_ptr<models::Classifier> model = model_of(model_kind, data, from ? 9 : 1);
  ClassificationTask task(*model, classification_options(config, preprocessing_for(*model, data->info()), data->class_names()));
  Ended result;
  TrainCallbacks callbacks;
  callbacks.quiet = true, callbacks.clean_images = 20, callbacks.feature_cache_bytes = cache;
  callbacks.on_update = [&](const StepReport& update) { result.losses.push_back(update.loss); };
  callbacks.on_epoch = [&](const EpochReport& report) {
    if (report.test) result.tests.push_back(report.test->at("loss"));
    if (report.clean) result.cleans.push_back(report.clean->at("loss"));
  };
  Trainer trainer(task, data, test, config, callbacks);
  if (from) trainer.restore(*from);
  for (int64_t i = 0; i < steps && trainer.step(); ++i) {
  }
  result.state = trainer.state();
  return result;
}

void check_same(const Ended& a, const Ended& b) {
  CHECK(differences(a.state, b.state) == std::vector<std::string>{});
  CHECK(a.losses == b.losses);
  CHECK(a.tests == b.tests);
  CHECK(a.cleans == b.cleans);
}

std::string obstacle(const TrainConfig& config, const DatasetPtr& data) {
  const auto model = tiny_vit(data->info());
  ClassificationTask task(*model, classification_options(config, preprocessing_for(*model, data->info()), data->class_names()));
  return feature_cache_obstacle(task, config, data->size());
}

}  // namespace

TEST_CASE("feature cache: a run with it has every bit, loss and score of one without it, resumed or not") {
  const DatasetPtr data = glyphs(53), test = glyphs(37, Split::kTest);  // the last batch of an epoch is short
  for (const char* trainable : {"head", "partial"}) {
    for (const int64_t groups : {1, 2}) {
      CAPTURE(trainable);
      CAPTURE(groups);
      TrainConfig config = config_for(trainable);
      config.groups = groups, config.ema_decay = 0.9, config.head_epochs = std::string(trainable) == "head" ? 0 : 1;
      const Ended without = ended("vit", config, 0, data, test), with = ended("vit", config, kPlenty, data, test);
      check_same(without, with);
      CHECK(keeps_features("vit", config, data));
      CHECK(without.losses.size() == 12);
      const Ended half = ended("vit", config, kPlenty, data, test, nullptr, 5);
      const Ended resumed = ended("vit", config, kPlenty, data, test, &half.state);
      CHECK(differences(without.state, resumed.state) == std::vector<std::string>{});
    }
  }
}

TEST_CASE("feature cache: other architectures, other precision, frozen blocks by name, balanced drawing") {
  const DatasetPtr data = glyphs(40), test = glyphs(20, Split::kTest);
  for (const char* model : {"cct_2_3x2_d64", "cnn"}) {
    CAPTURE(model);
    CHECK(keeps_features(model, config_for("head"), data));
    check_same(ended(model, config_for("head"), 0, data, test), ended(model, config_for("head"), kPlenty, data, test));
  }
  TrainConfig rounded = config_for("partial");
  rounded.precision = "bf16";
  CHECK(keeps_features("vit", rounded, data));
  check_same(ended("vit", rounded, 0, data, test), ended("vit", rounded, kPlenty, data, test));
  TrainConfig named = config_for("all");
  named.freeze_until = 1, named.sampling = "balanced", named.class_weights = "balanced", named.repeats = 2;
  CHECK(keeps_features("vit", named, data));
  check_same(ended("vit", named, 0, data, test), ended("vit", named, kPlenty, data, test));
}

TEST_CASE("feature cache: it says what it keeps and stays below its bound") {
  const DatasetPtr data = glyphs(40), test = glyphs(20, Split::kTest);
  const auto model = tiny_vit(data->info());
  const TrainConfig config = config_for("head");
  ClassificationTask task(*model, classification_options(config, preprocessing_for(*model, data->info()), data->class_names()));
  CHECK(feature_cache_obstacle(task, config, 40).empty());
  CHECK(feature_bytes(task, *data) == 32 * 4);
  Loader pictures = make_loader(task, data, {.batch_size = 16});
  const auto said = [&](int64_t bytes, bool tested) {
    FeatureCache cache(task, config, {.batch_size = 16}, bytes);
    task.model().train();
    const std::string line = cache.start(pictures, test, nullptr);
    CHECK((cache.training(0) != nullptr) == !line.empty());
    CHECK((cache.test() != nullptr) == tested);
    if (cache.training(0)) CHECK(cache.training(2) == nullptr);  // eight pictures, not sixteen
    return line;
  };
  CHECK(contains(said(60 * 128, true), "all but the head, of 40 training and 20 test images; 0.0 MB"));
  CHECK(contains(said(59 * 128, false), "all but the head, of 40 training images; 0.0 MB"));
  CHECK(said(39 * 128, false).empty());
  CHECK(said(0, false).empty());
}

TEST_CASE("feature cache: what is in its way is said by name") {
  const DatasetPtr data = glyphs(40);
  CHECK(obstacle(config_for("all"), data) == "every part of the model is trained");
  TrainConfig config = config_for("head");
  config.crop_padding = 2, config.mixup = 0.5;
  CHECK(obstacle(config, data) == "pictures are augmented at random (crop_padding, mixup)");
  CHECK(obstacle(config_for("bitfit"), data) == "no block at the start of the model is frozen");
  config = config_for("head");
  config.groups = 3;
  CHECK(obstacle(config, data) == "the groups of a batch differ in size");
  config.groups = 1, config.batch_size = 41;
  CHECK(obstacle(config, data) == "an epoch has no whole batch");
}

TEST_CASE("stages: the parts of a model give the bits of the whole, wherever it is cut") {
  const DatasetPtr data = glyphs(4);
  const auto model = tiny_vit(data->info(), 3);
  model->eval();
  const NoGradGuard no_grad;
  const Variable images(rand_normal({3, 1, 28, 28}, 0, 1, Rng(1)));
  const Tensor whole = (*model)(images).value();
  for (int64_t stages = 1; stages <= 3; ++stages)
    CHECK(bit_equal(model->finish(model->run_stages(images, stages), stages).value(), whole));
  CHECK(model->describe_stages(1) == "the embedding and 1 of 2 blocks");
  CHECK(model->describe_stages(3) == "all but the head");
  CHECK(contains(message_of([&] { model->run_stages(images, 4); }), "stages must be in [1, 3]: it is 4"));
}
