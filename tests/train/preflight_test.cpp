#include "train/preflight.h"

#include <doctest/doctest.h>

#include <functional>
#include <string>
#include <vector>

using namespace vitrail;

namespace {

std::string joined(const std::vector<std::string>& notes) {
  std::string text;
  for (const std::string& note : notes) text += note + "\n";
  return text;
}

models::ViTConfig sound_model() {
  models::ViTConfig model;
  model.img_size = 32, model.patch_size = 4, model.num_classes = 10;
  return model;
}

}  // namespace

TEST_CASE("pre-flight: the usual settings of every model raise no warning") {
  for (const models::Preset& preset : models::presets()) {
    CAPTURE(preset.name);
    TrainConfig config;
    CHECK(joined(preflight(config, preset.config, 1000000)) == "");
  }
}

TEST_CASE("pre-flight: a rate that destroys a trained model is named, unless only a part is trained") {
  TrainConfig config;
  const auto found = [&](bool from_model) { return joined(preflight(config, sound_model(), 100000, from_model)); };
  config.lr = 1e-3;
  CHECK(found(false) == "");
  CHECK(found(true).find("a learning rate of 0.001 is known to destroy what a trained model knows") != std::string::npos);
  config.lr = 3e-4;
  CHECK(found(true) == "");
  config.lr = 5e-3, config.trainable = "lora";
  CHECK(found(true) == "");
  config.lr = 6e-3;
  CHECK(found(true).find("0.006 is known to fail with adamw") != std::string::npos);
  config.lr = 1e-3, config.trainable = "partial";
  CHECK(found(true) == "");
}

TEST_CASE("pre-flight: each setting that is known to fail is named with its number and a remedy") {
  struct Case {
    std::function<void(TrainConfig&, models::ViTConfig&, int64_t&)> change;
    std::string expected;
  };
  const std::vector<Case> cases{
      {[](TrainConfig&, models::ViTConfig& m, int64_t&) { m.patch_size = 16; }, "only 4 patches of a picture"},
      {[](TrainConfig& c, models::ViTConfig&, int64_t&) { c.lr = 0.01; }, "0.01 is known to fail with adamw"},
      {[](TrainConfig& c, models::ViTConfig&, int64_t&) { c.optimizer = "lion", c.lr = 2e-3; }, "0.002 is known to fail with lion"},
      {[](TrainConfig& c, models::ViTConfig&, int64_t&) { c.optimizer = "muon", c.lr = 0.1; }, "0.1 is known to fail with muon"},
      {[](TrainConfig& c, models::ViTConfig&, int64_t&) { c.warmup = 0; }, "there is no warm-up"},
      {[](TrainConfig&, models::ViTConfig& m, int64_t&) { m.attn_drop_rate = 0.5; }, "a dropout of 0.5"},
      {[](TrainConfig& c, models::ViTConfig&, int64_t&) { c.weight_decay = 0.5; }, "a weight decay of 0.5"},
      {[](TrainConfig&, models::ViTConfig&, int64_t& images) { images = 100; }, "a batch of 128 is larger than the 100"},
      {[](TrainConfig&, models::ViTConfig&, int64_t& images) { images = 200; }, "about 20 images a class"},
      {[](TrainConfig& c, models::ViTConfig&, int64_t& images) { images = 1000, c.epochs = 9; }, "the whole run is 72 updates"},
  };
  for (const Case& one : cases) {
    TrainConfig config;
    models::ViTConfig model = sound_model();
    int64_t images = 100000;
    CHECK(preflight(config, model, images).empty());
    one.change(config, model, images);
    CAPTURE(one.expected);
    const std::string found = joined(preflight(config, model, images));
    CAPTURE(found);
    CHECK(found.find(one.expected) != std::string::npos);
  }
  TrainConfig sgd;
  sgd.optimizer = "sgd", sgd.lr = 0.1, sgd.warmup = 0;
  CHECK(preflight(sgd, sound_model(), 100000).empty());
}
