#include <doctest/doctest.h>

#include <set>

#include "models/presets.h"
#include "nn/summary.h"
#include "tests/support/model_test.h"

namespace vitrail::testing {
namespace {

using namespace models;

int64_t count_of(const char* name) { return parameter_count(find_preset(name).config); }

TEST_CASE("the published sizes have their published parameter counts") {
  CHECK(count_of("vit_tiny_patch16_224") == 5717416);
  CHECK(count_of("vit_small_patch16_224") == 22050664);
  CHECK(count_of("vit_base_patch16_224") == 86567656);
  CHECK(count_of("vit_base_patch32_224") == 88224232);
  CHECK(count_of("vit_large_patch16_224") == 304326632);
  CHECK(count_of("vit_huge_patch14_224") == 632045800);
}

TEST_CASE("the small presets have their published sizes") {
  CHECK(count_of("vit_fashion") == 205962);
  CHECK(count_of("vit_cifar_d128L6h4m2") == 811146);
  CHECK(count_of("vit_cifar_d192L9h12m2") == 2697610);
  CHECK(count_of("vit_cifar_d384L7h12m1") == 6268810);
  CHECK(count_of("cct_2_3x2") == 283723);
  CHECK(count_of("cct_2_3x2_d64") == 89259);
  CHECK(count_of("cct_7_3x1") == 3760139);
  CHECK(count_of("vit_wee_patch16_reg1_gap_256") == 13422568);
  CHECK(count_of("resnet18_cifar") == 11173962);
}

TEST_CASE("the formula counts what a built model has") {
  for (const Preset& preset : presets()) {
    if (parameter_count(preset.config) > 3000000) continue;
    CAPTURE(preset.name);
    Rng rng(1);
    CHECK(make_model(preset.config, rng)->num_parameters() == parameter_count(preset.config));
  }
  ViTConfig c = tiny_config();
  c.qk_norm = c.pre_norm = c.no_embed_class = true, c.reg_tokens = 3, c.init_values = 0.1, c.proj_bias = c.qkv_bias = false;
  c.num_classes = 0, c.final_norm = false, c.img_size = {8, 12};
  Rng rng(1);
  CHECK(ViT(c, rng).num_parameters() == parameter_count(c));
}

TEST_CASE("every preset has its own name and builds for other data") {
  std::set<std::string> names;
  for (const Preset& preset : presets()) {
    CHECK(names.insert(preset.name).second);
    CHECK_FALSE(preset.description.empty());
  }
  Rng rng(1);
  for (const char* name :
       {"vit_plain", "vit_fashion", "cct_2_3x2", "cct_2_3x2_d64", "cnn", "resnet10_cifar_w16", "mlp", "linear"}) {
    CAPTURE(name);
    const auto model = make_model(name, rng, {.in_chans = 2, .img_height = 16, .img_width = 12, .num_classes = 7});
    model->eval();
    CHECK((*model)(random_images({3, 2, 16, 12})).shape() == Shape{3, 7});
    CHECK(config_from_json(model->config_json()) == adapted(find_preset(name).config, {2, 16, 12, 7}));
  }
}

TEST_CASE("a ResNet-18 has torchvision's parameter names") {
  Rng rng(1);
  const auto model = make_model("resnet18_cifar", rng);
  std::set<std::string> names;
  for (const auto& parameter : model->named_parameters()) names.insert(parameter.name);
  CHECK(names.size() == 62);
  for (const char* name : {"conv1.weight", "bn1.bias", "layer1.0.conv1.weight", "layer2.0.downsample.0.weight",
                           "layer4.0.downsample.1.bias", "layer4.1.bn2.weight", "fc.weight"}) {
    CHECK(names.count(name) == 1);
  }
  CHECK(names.count("layer1.0.downsample.0.weight") == 0);
  CHECK(model->num_parameters() == 11173962);
  const nn::Summary summary = nn::summarize(*model, model->input_shape());
  CHECK(static_cast<double>(summary.macs) == doctest::Approx(0.556e9).epsilon(0.01));
}

TEST_CASE("a misspelt preset is answered with the nearest name") {
  CHECK(contains(message_of([] { find_preset("vit_tiny_patch16_225"); }), "did you mean vit_tiny_patch16_224?"));
  CHECK(contains(message_of([] { find_preset("cct_2_3x3"); }), "did you mean cct_2_3x2?"));
}

TEST_CASE("the summary counts the multiply-adds that the literature names for ViT-Ti/16") {
  Rng rng(1);
  const auto model = make_model("vit_tiny_patch16_224", rng);
  const nn::Summary summary = nn::summarize(*model, model->input_shape());
  CHECK(summary.parameters == 5717416);
  CHECK(static_cast<double>(summary.macs) == doctest::Approx(1.25e9).epsilon(0.01));
}

}  // namespace
}  // namespace vitrail::testing
