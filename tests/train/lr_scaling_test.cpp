// The rate of a batch of another size, and warm-up counted in epochs.
#include <doctest/doctest.h>

#include <cmath>
#include <string>

#include "base/json.h"
#include "base/json_writer.h"
#include "tests/support/learn_helpers.h"
#include "tests/support/scratch_folder.h"
#include "train/overfit.h"
#include "train/preflight.h"
#include "train/settings_differences.h"

using namespace vitrail;
using namespace vitrail::testing;

namespace {

TrainConfig scaled(const std::string& rule, int64_t batch, int64_t base = 256) {
  TrainConfig config;
  config.lr_scaling = rule, config.batch_size = batch, config.base_batch = base;
  return config;
}

}  // namespace

TEST_CASE("lr is for base_batch images, and grows with the batch or with its root") {
  CHECK(scaled_lr(TrainConfig{}) == 1e-3);
  CHECK(scaled_lr(scaled("none", 4096)) == 1e-3);
  CHECK(scaled_lr(scaled("linear", 512)) == 2e-3);
  CHECK(scaled_lr(scaled("linear", 64)) == 0.25e-3);
  CHECK(scaled_lr(scaled("linear", 96, 64)) == doctest::Approx(1.5e-3));
  CHECK(scaled_lr(scaled("sqrt", 1024)) == 2e-3);
  CHECK(scaled_lr(scaled("sqrt", 512)) == doctest::Approx(1e-3 * std::sqrt(2)));
  CHECK(scaling_note(TrainConfig{}).empty());
  CHECK(scaling_note(scaled("linear", 512)) == "learning rate 0.001 x 512 / 256 = 0.002 (linear scaling)");
  CHECK(scaling_note(scaled("sqrt", 1024)) == "learning rate 0.001 x sqrt(1024 / 256) = 0.002 (square root scaling)");
}

TEST_CASE("the schedule, the head alone and --overfit-one-batch have the scaled rate") {
  TrainConfig config = scaled("linear", 1024);
  config.head_epochs = 1, config.head_alone_lr = 5;
  const Schedule schedule = make_schedule(config, 1100, 100);
  CHECK(schedule.base_lr == 4e-3);
  CHECK(schedule.min_lr == 1e-5);  // is not scaled
  CHECK(schedule.head_lr == 4e-3 * 5);
  CHECK(learning_rate(schedule, 0) == 4e-3 * 5);
  CHECK(learning_rate(schedule, 150) == 4e-3);
  config.lr = 1e-6;
  CHECK(make_schedule(config, 1000, 100).min_lr == 4e-6);  // never above the rate
  CHECK(scaled_lr(overfit_config(scaled("sqrt", 1024))) == 2e-3);
}

TEST_CASE("a warm-up in epochs is counted in updates of an epoch, and wins over the part of the run") {
  TrainConfig config;
  config.warmup = 0.5, config.warmup_epochs = 5;
  Schedule schedule = make_schedule(config, 3000, 100);
  CHECK(schedule.warmup_steps == 500);
  CHECK(learning_rate(schedule, 0) == doctest::Approx(1e-3 / 501));
  CHECK(learning_rate(schedule, 499) < 1e-3);
  CHECK(learning_rate(schedule, 500) == 1e-3);
  CHECK(make_schedule(config, 6000, 100).warmup_steps == 500);  // the length of the run does not matter
  config.warmup_epochs = 0.255;
  CHECK(make_schedule(config, 3000, 100).warmup_steps == 26);
  config.head_epochs = 2, config.warmup_epochs = 1;
  schedule = make_schedule(config, 3000, 100);
  CHECK(schedule.warmup_steps == 100);
  CHECK(learning_rate(schedule, 300) == 1e-3);  // counted from the end of the epochs of the head alone
  config.warmup_epochs = 0;
  CHECK(make_schedule(config, 3000, 100).warmup_steps == 1400);
}

TEST_CASE("lr_scaling, base_batch and warmup_epochs outside their range are refused by name") {
  const auto refuses = [](const char* text, const char* part) {
    CHECK_THROWS_WITH_AS(train_config_from_json(text, {}, "recipe.json"), doctest::Contains(part), Error);
  };
  refuses("{\"lr_scaling\": \"cubic\"}", "lr_scaling must be none or linear or sqrt: it is \"cubic\"");
  refuses("{\"base_batch\": 0}", "base_batch must be in [1, 1048576]: it is 0");
  refuses("{\"warmup_epochs\": -1}", "warmup_epochs must be in [0, 1e+06]: it is -1");
  refuses("{\"lr\": 1e300, \"lr_scaling\": \"linear\", \"batch_size\": 1048576, \"base_batch\": 1e9}", "base_batch");
}

TEST_CASE("a configuration of before these fields is read with their usual values") {
  TrainConfig config;
  std::string old = to_json(config);
  for (const char* key : {"lr_scaling", "base_batch", "warmup_epochs"}) {
    const size_t at = old.find(std::string("\"") + key);
    REQUIRE(at != std::string::npos);
    old.erase(at, old.find('\n', at) - at);
  }
  CHECK(train_config_from_json(old, scaled("linear", 128)).lr_scaling == "linear");
  CHECK(train_config_from_json(old) == config);
  // What an unfinished search or cross-validation of an older version recorded is that of the same command today.
  const auto recorded = [](const std::string& recipe) {
    return JsonWriter().begin_object().key("recipe").raw(recipe).end_object().text();
  };
  CHECK(settings_differences(recorded(old), recorded(to_json(config))).empty());
  CHECK(settings_differences(recorded("{\"epochs\": 10}"), recorded("{\"epochs\": 10, \"lr_scaling\": \"none\"}")).empty());
  CHECK(settings_differences(recorded("{\"epochs\": 10}"), recorded("{\"epochs\": 10, \"lr_scaling\": \"sqrt\"}")) ==
        std::vector<std::string>{"recipe.lr_scaling is \"none\", not \"sqrt\""});
}

TEST_CASE("pre-flight: the scaled rate counts, and a warm-up in epochs is one") {
  models::ViTConfig model;
  model.img_size = 32, model.patch_size = 4, model.num_classes = 10;
  const auto notes = [&](const TrainConfig& config) {
    std::string text;
    for (const std::string& note : preflight(config, model, 1000000)) text += note + "\n";
    return text;
  };
  CHECK(notes(scaled("linear", 512)) == "");
  CHECK(notes(scaled("linear", 1024)).find("a learning rate of 0.004 is known to fail with adamw") != std::string::npos);
  CHECK(notes(scaled("sqrt", 1024)) == "");
  TrainConfig config;
  config.warmup = 0, config.warmup_epochs = 1;
  CHECK(notes(config) == "");
  config.warmup_epochs = 10;
  CHECK(notes(config).find("the warm-up of 10 epochs lasts as long as the run") != std::string::npos);
  config.warmup_epochs = 1, config.optimizer = "lars", config.lr = 30, config.weight_decay = 1e-4;
  CHECK(notes(config) == "");
  config.weight_decay = 0.05;
  CHECK(notes(config).find("a weight decay of 0.05 is known to stop lars") != std::string::npos);
  config.optimizer = "lamb";
  CHECK(notes(config).find("30 is known to fail with lamb") != std::string::npos);
}

TEST_CASE("lamb and lars learn 32 glyphs at a rate that grows with the batch") {
  const DatasetPtr data = glyphs(32);
  for (const std::string optimizer : {"lamb", "lars"}) {
    CAPTURE(optimizer);
    const auto model = tiny_vit(data->info());
    const bool lars = optimizer == "lars";
    TrainConfig config = quick(lars ? 300 : 120, 32);
    config.optimizer = optimizer, config.lr_scaling = "linear", config.base_batch = 16, config.warmup_epochs = 5;
    config.lr = lars ? 1.5 : 0.025, config.weight_decay = lars ? 0 : 0.05, config.clip_norm = lars ? 0 : 1;
    TrainCallbacks callbacks;
    callbacks.quiet = true;
    const TrainResult result = train_model(*model, data, nullptr, preprocessing_for(*model, data->info()), config, callbacks);
    CHECK(result.history[5].lr == doctest::Approx(2 * config.lr).epsilon(1e-3));
    const Evaluation evaluation = evaluate(*model, data, preprocessing_for(*model, data->info()));
    CHECK(evaluation.at("top1") > 0.9);
  }
}
