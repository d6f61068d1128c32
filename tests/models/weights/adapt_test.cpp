#include "models/weights/adapt.h"

#include <doctest/doctest.h>

#include "autograd/modes.h"
#include "models/presets.h"
#include "tensor/ops.h"
#include "tests/support/data_test.h"

using namespace vitrail;
using namespace vitrail::testing;

namespace {

// A model as read_saved_model() gives it: 16 x 16 pixels, patches of 8, classes ant, bee, cat.
SavedModel saved(models::ViTConfig config = {
                     .img_size = 16, .patch_size = 8, .num_classes = 3, .embed_dim = 8, .depth = 1, .num_heads = 2}) {
  Rng rng(5);
  models::ViT model(config, rng);
  model.head->bias.set_value(from_vector(std::vector<float>{1, 2, 3}, {3}));
  SavedModel s;
  for (const auto& [name, tensor] : model.state_dict()) s.weights.emplace_back(name, clone(tensor));
  s.architecture = models::to_json(models::ModelConfig(config));
  s.file = "m.safetensors";
  s.card.class_names = {"ant", "bee", "cat"};
  s.card.preprocessing = {.height = 16,
                          .width = 16,
                          .mean = {.5, .5, .5},
                          .std = {.5, .5, .5},
                          .resize = ResizeMode::kShortSide,
                          .resize_height = 18,
                          .resize_width = 18};
  return s;
}

Tensor weight(const SavedModel& s, const std::string& name) {
  for (const auto& entry : s.weights)
    if (entry.first == name) return entry.second;
  return {};
}

}  // namespace

TEST_CASE("another image size resamples positions and scales the preprocessing; the rest keeps its bits") {
  SavedModel before = saved(), s = saved();
  const std::vector<std::string> notes = adapt(s, {.img_size = 32});
  CHECK(weight(s, "pos_embed").shape() == Shape{1, 17, 8});
  CHECK(bit_equal(slice(weight(s, "pos_embed"), 1, 0, 1), slice(weight(before, "pos_embed"), 1, 0, 1)));
  CHECK(bit_equal(weight(s, "blocks.0.attn.qkv.weight"), weight(before, "blocks.0.attn.qkv.weight")));
  CHECK(s.card.preprocessing.height == 32);
  CHECK(s.card.preprocessing.resize_height == 36);
  REQUIRE(notes.size() == 2);
  CHECK_SAYS(notes[1], "positions resampled from 2 to 4 (timm)");
  LoadedModel built = build_classifier(std::move(s));
  CHECK(built.model->img_height() == 32);
}

TEST_CASE("computed positions are computed for the new size, behind rows of zeros for tokens that have no place") {
  for (const bool no_row : {false, true}) {
    SavedModel s = saved({.img_size = 16,
                          .patch_size = 8,
                          .num_classes = 3,
                          .embed_dim = 8,
                          .depth = 1,
                          .num_heads = 2,
                          .pos_embed = "sincos2d",
                          .no_embed_class = no_row});
    adapt(s, {.img_size = 32});
    LoadedModel built = build_classifier(std::move(s));
    const auto& vit = dynamic_cast<models::ViT&>(*built.model);
    const int64_t rows = no_row ? 0 : 1;
    REQUIRE(vit.pos_embed_fixed.shape() == Shape{1, rows + 16, 8});
    CHECK(bit_equal(contiguous(slice(vit.pos_embed_fixed, 1, rows, rows + 16)), models::sincos2d({4, 4}, 8)));
    if (rows > 0) CHECK(max(abs(slice(vit.pos_embed_fixed, 1, 0, 1))).item() == 0);
  }
}

TEST_CASE("another patch size keeps the grid's meaning: positions follow where the grid changes") {
  SavedModel s = saved();
  adapt(s, {.patch_size = 4});
  CHECK(weight(s, "patch_embed.proj.weight").shape() == Shape{8, 3, 4, 4});
  CHECK(weight(s, "pos_embed").shape() == Shape{1, 17, 8});
  SavedModel both = saved();
  adapt(both, {.img_size = 8, .patch_size = 4});
  CHECK(bit_equal(weight(both, "pos_embed"), weight(saved(), "pos_embed")));
}

TEST_CASE("classes with equal names keep their rows, others start at zero") {
  SavedModel s = saved();
  const std::vector<std::string> notes = adapt(s, {.class_names = {"bee", "dog"}});
  CHECK_SAYS(notes.at(0), "a head for 2 classes, 1 of them kept by name");
  CHECK(bit_equal(slice(weight(s, "head.weight"), 0, 0, 1), slice(weight(saved(), "head.weight"), 0, 1, 2)));
  CHECK(to_vector<float>(weight(s, "head.bias")) == std::vector<float>{2, 0});
  CHECK(max(abs(slice(weight(s, "head.weight"), 0, 1, 2))).item() == 0);
  CHECK(build_classifier(std::move(s)).model->num_classes() == 2);
}

TEST_CASE("a backbone without a head gets one") {
  SavedModel s = saved();
  std::erase_if(s.weights, [](const auto& entry) { return entry.first.starts_with("head."); });
  models::ModelConfig config = models::adapted(models::config_from_json(s.architecture), {.num_classes = 0});
  s.architecture = models::to_json(config);
  s.card.class_names.clear();
  adapt(s, {.class_names = {"a", "b"}});
  CHECK(build_classifier(std::move(s)).model->num_classes() == 2);
}

TEST_CASE("grey input sums the channels of the projection") {
  SavedModel s = saved();
  adapt(s, {.in_chans = 1});
  const Tensor wanted = sum(weight(saved(), "patch_embed.proj.weight"), {1}, true);
  CHECK(max(abs(sub(weight(s, "patch_embed.proj.weight"), wanted))).item() < 1e-6);
  CHECK(s.card.preprocessing.mean == std::vector<double>{.5});
  CHECK(build_classifier(std::move(s)).model->in_chans() == 1);
}

TEST_CASE(
    "a CCT takes another image size and grey pictures: positions and the first convolution follow, the rest keeps its bits") {
  const models::CctConfig config{.img_size = 16, .num_classes = 3, .embed_dim = 8, .depth = 1, .num_heads = 2, .conv_width = 4};
  const auto as_saved = [&] {
    SavedModel s = saved();
    Rng rng(6);
    models::Cct model(config, rng);
    s.weights.clear();
    for (const auto& [name, tensor] : model.state_dict()) s.weights.emplace_back(name, clone(tensor));
    s.architecture = models::to_json(models::ModelConfig(config));
    return s;
  };
  const SavedModel before = as_saved();
  SavedModel s = as_saved();
  const std::vector<std::string> notes = adapt(s, {.img_size = {32, 24}, .in_chans = 1});
  REQUIRE(notes.size() == 3);
  CHECK_SAYS(notes[0], "tokenizer.0 changed from 3 to 1 channels");
  CHECK_SAYS(notes[2], "positions resampled from 4 to 8 x 6 (timm)");
  CHECK(bit_equal(weight(s, "pos_embed"), resample_positions(weight(before, "pos_embed"), 4, {8, 6}, 0, PositionRule::kTimm)));
  const Tensor summed = sum(weight(before, "tokenizer.0.weight"), {1}, true);
  CHECK(max(abs(sub(weight(s, "tokenizer.0.weight"), summed))).item() < 1e-6);
  CHECK(bit_equal(weight(s, "blocks.0.attn.qkv.weight"), weight(before, "blocks.0.attn.qkv.weight")));
  CHECK(s.card.preprocessing.resize_height == 36);
  LoadedModel built = build_classifier(std::move(s));
  CHECK(built.model->img_height() == 32);
  CHECK(built.model->in_chans() == 1);
  CHECK((*built.model)(Variable(zeros({2, 1, 32, 24}))).shape() == Shape{2, 3});
}

TEST_CASE("only a ViT and a CCT change their size, and a ViT only to what its patches divide") {
  SavedModel s = saved();
  CHECK_SAYS(refusal(ErrorKind::kValue, [&] { adapt(s, {.img_size = 20}); }), "img_size must be a multiple of patch_size");
  SavedModel other = saved();
  other.architecture = models::to_json(models::find_preset("cct_2_3x2").config);
  CHECK_SAYS(refusal(ErrorKind::kValue, [&] { adapt(other, {.patch_size = 8}); }), "only a ViT has patches");
  other.architecture = models::to_json(models::find_preset("linear").config);
  CHECK_SAYS(refusal(ErrorKind::kValue, [&] { adapt(other, {.img_size = 64}); }),
             "only a ViT or a CCT can be brought to another image size");
  CHECK_SAYS(refusal(ErrorKind::kValue,
                     [&] {
                       SavedModel t = saved();
                       adapt(t, {.img_size = 32, .position_rule = "tim"});
                     }),
             "timm");
}
