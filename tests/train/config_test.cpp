#include "train/config.h"

#include <doctest/doctest.h>

#include "tests/support/tiny_module.h"

using namespace vitrail;

TEST_CASE("a configuration survives JSON with every field") {
  TrainConfig config;
  config.epochs = 7;
  config.seed = 12345678901234567ULL;
  config.optimizer = "lion";
  config.lr = 3.3e-4;
  config.schedule = "multistep";
  config.milestones = {3, 5};
  config.mirror = true;
  CHECK(train_config_from_json(to_json(config)) == config);
}

TEST_CASE("every field is a flag, and is set from text that is read whole") {
  TrainConfig config;
  set_field(config, "batch_size", "17");
  set_field(config, "lr", "3e-4");
  set_field(config, "mirror", "true");
  set_field(config, "milestones", "3,5");
  set_field(config, "optimizer", "lion");
  set_field(config, "seed", "9223372036854775807");
  CHECK(config.batch_size == 17);
  CHECK(config.lr == 3e-4);
  CHECK(config.mirror);
  CHECK(config.milestones == std::vector<int64_t>{3, 5});
  CHECK(config.seed == INT64_MAX);
  const auto refuses = [&](const char* key, const char* text, const char* part) {
    CHECK_THROWS_WITH_AS(set_field(config, key, text), doctest::Contains(part), Error);
  };
  refuses("seed", "99999999999999999999999", "--seed must be a whole number");
  refuses("milestones", "3,,5", "--milestones must be");
  refuses("mirror", "yes", "--mirror must be true or false: it is yes");
  refuses("ema_decay", "a lot", "--ema must be a finite number");
  refuses("depth", "3", "no field depth");
  bool found = false;
  for (const ConfigFlag& flag : config_flags({}))
    found = found || (flag.flag == "--label-smoothing" && flag.help.find("(0.1)") != std::string::npos);
  CHECK(found);
}

TEST_CASE("missing keys keep the values of the base") {
  TrainConfig base;
  base.batch_size = 17;
  const TrainConfig config = train_config_from_json("{\"epochs\": 3}", base);
  CHECK(config.epochs == 3);
  CHECK(config.batch_size == 17);
}

TEST_CASE("wrong keys, types and ranges are refused by name") {
  const auto refuses = [](const char* text, const char* part) {
    CHECK_THROWS_WITH_AS(train_config_from_json(text, {}, "recipe.json"), doctest::Contains(part), Error);
  };
  refuses("{\"epoch\": 3}", "epoch");
  refuses("{\"epochs\": 1.5}", "epochs");
  refuses("{\"epochs\": \"3\"}", "epochs");
  refuses("{\"seed\": -1}", "seed");
  refuses("{\"epochs\": 3, \"epochs\": 4}", "epochs");
  refuses("{\"batch_size\": 0}", "batch_size must be in [1, 1048576]: it is 0");
  refuses("{\"batch_size\": -5}", "it is -5");
  refuses("{\"lr\": -0.1}", "lr must be a finite number of at least 0: it is -0.1");
  refuses("{\"optimizer\": \"adamax\"}", "one of adamw, adam, sgd, lion, rmsprop, muon, lamb, lars");
  refuses("{\"schedule\": \"cosin\"}", "unknown schedule");
  refuses("[1]", "recipe.json");
}

TEST_CASE("the configuration names its optimiser and its schedule") {
  testing::TinyModule module;
  TrainConfig config;
  for (const char* name : {"adamw", "adam", "sgd", "lion", "rmsprop", "muon", "lamb", "lars"}) {
    config.optimizer = name;
    CHECK(make_optimizer(config, module)->name() == std::string(name));
  }
  const Schedule schedule = make_schedule(config, 1000, 100);
  CHECK(schedule.warmup_steps == 50);
  CHECK(learning_rate(schedule, 50) == 1e-3);
  CHECK(learning_rate(schedule, 1000) == doctest::Approx(1e-5));
}

TEST_CASE("the recipe mirrors clothes but not digits, and crops nothing that is drawn") {
  const auto recipe = [](const char* name, int64_t side, bool mirror) {
    DatasetInfo info;
    info.name = name;
    info.height = info.width = side;
    info.mirror_keeps_class = mirror;
    return recipe_for(info);
  };
  CHECK(recipe("fashion-mnist", 28, true).mirror);
  CHECK(recipe("fashion-mnist", 28, true).crop_padding == 2);
  CHECK(recipe("cifar10", 32, true).crop_padding == 4);
  CHECK(!recipe("mnist", 28, false).mirror);
  CHECK(recipe("glyphs", 28, false).crop_padding == 0);
}
