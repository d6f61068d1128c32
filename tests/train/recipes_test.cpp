// Named recipes: their published values, the models that they choose, and that pre-flight finds nothing in them.
#include "train/recipes.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <variant>

#include "base/error.h"
#include "base/file.h"
#include "train/preflight.h"

using namespace vitrail;

namespace {

DatasetInfo pictures(int64_t channels, int64_t side, const std::string& name = "folder") {
  DatasetInfo info;
  info.name = name;
  info.channels = channels, info.height = info.width = side;
  info.class_names.resize(10, "class");
  info.mirror_keeps_class = true;
  return info;
}

TrainConfig config_of(const char* name, const DatasetInfo& info, int64_t parameters = 0) {
  return find_recipe(name).config({info, parameters});
}

}  // namespace

TEST_CASE("a small set gets a batch with which an epoch has ten updates") {
  for (const auto& [images, batch] : {std::pair{1, 8},
                                      {79, 8},
                                      {144, 8},
                                      {145, 16},
                                      {160, 16},
                                      {576, 32},
                                      {577, 64},
                                      {1152, 64},
                                      {1153, 128},
                                      {50000, 128}}) {
    CAPTURE(images);
    CHECK(batch_for(images) == batch);
  }
}

TEST_CASE("recipes: every one is valid, alone by its name, and raises no warning for pictures of the usual sizes") {
  for (const Recipe& recipe : recipes()) {
    CAPTURE(recipe.name);
    CHECK(&find_recipe(recipe.name) == &recipe);
    for (const DatasetInfo& info :
         {pictures(1, 28), pictures(3, 32), pictures(3, 96), pictures(3, 224), pictures(1, 28, "glyphs")}) {
      const TrainConfig config = recipe.config({info, 0});
      validate(config);
      const std::string model = recipe.model(info);
      if (model.empty()) continue;
      const models::ModelConfig built = with_drop_path(models::config_from_json(model), config.drop_path);
      models::validate(built);
      CHECK(preflight(config, built, 100000).empty());
    }
  }
}

TEST_CASE("recipes: DeiT's values are those of its paper") {
  const TrainConfig c = config_of("deit", pictures(3, 224));
  CHECK(c.optimizer == "adamw");
  CHECK(c.lr == doctest::Approx(5e-4 * static_cast<double>(c.batch_size) / 512));
  CHECK(c.weight_decay == 0.05);
  CHECK(c.epochs == 300);
  CHECK(c.warmup * 300 == doctest::Approx(5));
  CHECK(c.augment == "randaugment");
  CHECK(c.magnitude == 9);
  CHECK(c.magnitude_std == 0.5);
  CHECK(c.mixup == 0.8);
  CHECK(c.cutmix == 1);
  CHECK(c.mix_switch == 0.5);
  CHECK(c.label_smoothing == 0.1);
  CHECK(c.erase == 0.25);
  CHECK(c.repeats == 3);
  CHECK(c.drop_path == 0.1);
  CHECK(c.ema_decay == 0.99996);
  CHECK(c.crop_scale == 0.08);
}

TEST_CASE("recipes: scratch-muon is the run of docs/results.md") {
  const TrainConfig c = config_of("scratch-muon", pictures(3, 32));
  CHECK(c.optimizer == "muon");
  CHECK(c.precision == "bf16");
  CHECK(c.lr == 0.01);
  CHECK(c.momentum == 0.95);
  CHECK(c.epochs == 45);
  CHECK(c.batch_size == 128);
  CHECK(c.weight_decay == 0.05);
  CHECK(c.min_lr == 1e-5);
  CHECK(c.warmup == 0.05);
  CHECK(c.label_smoothing == 0.1);
  CHECK(c.clip_norm == 1);
  CHECK(c.cutmix == 1);
  CHECK(c.mixup == 0.2);
  CHECK(c.mix_switch == 0.5);
  CHECK(c.mixup_off_epoch == 38);
  CHECK(c.erase == 0.25);
  CHECK(c.crop_padding == 4);
  CHECK(c.mirror);
  CHECK(c.augment == "none");
}

TEST_CASE("recipes: fine-tuning and probing start from a model; large ones at a lower rate, a probe with its head alone") {
  CHECK(find_recipe("finetune").from_model);
  CHECK(find_recipe("probe").from_model);
  CHECK(!find_recipe("scratch-cct").from_model);
  CHECK(config_of("finetune", pictures(3, 224), 5'000'000).lr == 5e-5);
  const TrainConfig small = config_of("finetune", pictures(3, 32), 300'000);
  CHECK(small.lr == 2e-4);
  CHECK(small.layer_decay == 0.75);
  CHECK(small.head_lr == 10);
  CHECK(small.warmup == 0.1);
  CHECK(config_of("probe", pictures(3, 32), 1).trainable == "head");
}

TEST_CASE("recipes: small pictures are shifted, photographs cropped, what the program draws neither") {
  CHECK(config_of("scratch-small", pictures(1, 28)).crop_padding == 2);
  CHECK(config_of("scratch-small", pictures(3, 32)).crop_padding == 4);
  CHECK(config_of("scratch-small", pictures(3, 224)).crop_scale == 0.35);
  CHECK(config_of("scratch-small", pictures(3, 224)).crop_padding == 0);
  const TrainConfig glyphs = config_of("scratch-cct", pictures(1, 28, "glyphs"));
  CHECK(glyphs.crop_padding == 0);
  CHECK(glyphs.crop_scale == 0);
  CHECK(config_of("scratch-small", pictures(1, 28)).augment == "none");
  CHECK(config_of("scratch-small", pictures(3, 32)).augment == "randaugment");
}

TEST_CASE("recipes: the patch leaves enough tokens for any size") {
  CHECK(patch_for(28, 28) == 4);
  CHECK(patch_for(32, 32) == 4);
  CHECK(patch_for(224, 224) == 16);
  CHECK(patch_for(96, 96) == 8);
  CHECK(patch_for(64, 96) == 4);
  CHECK(patch_for(29, 31) == 1);
  const models::ModelConfig model = models::config_from_json(find_recipe("scratch-small").model(pictures(3, 224)));
  CHECK(std::get<models::ViTConfig>(model).patch_size == models::Size2d(16));
  CHECK(std::get<models::ViTConfig>(model).embed_dim == 128);
}

TEST_CASE("recipes: stochastic depth goes into models with blocks, and is refused by others") {
  const models::ModelConfig vit = with_drop_path(models::find_preset("vit_fashion").config, 0.1);
  CHECK(std::get<models::ViTConfig>(vit).drop_path_rate == 0.1);
  CHECK(std::get<models::CctConfig>(with_drop_path(models::find_preset("cct_2_3x2").config, 0.2)).drop_path_rate == 0.2);
  CHECK_THROWS_WITH_AS(with_drop_path(models::find_preset("mlp").config, 0.1), doctest::Contains("needs a model with blocks"),
                       Error);
  CHECK(std::holds_alternative<models::MlpConfig>(with_drop_path(models::find_preset("mlp").config, 0)));
}

TEST_CASE("recipes: a wrong name is answered with the nearest and the list") {
  CHECK_THROWS_WITH_AS(find_recipe("finetun"),
                       doctest::Contains("did you mean finetune? There are scratch-small, scratch-cct, scratch-muon"), Error);
}

TEST_CASE("docs/training.md has the table of the recipes as they are") {
  if (!std::filesystem::exists("docs/training.md")) {
    MESSAGE("docs/training.md is not here: run from the folder of the sources");
    return;
  }
  const std::string text = read_text_file("docs/training.md");
  const std::string table = recipe_table();
  CHECK_MESSAGE(text.find(table) != std::string::npos, "docs/training.md is stale; the table is\n", table);
}
