#include "models/presets.h"

#include "base/json.h"
#include "base/text.h"

namespace vitrail::models {
namespace {

// The published sizes differ in width, depth and heads; the patch side determines the number of tokens.
ViTConfig published(int64_t patch, int64_t dim, int64_t depth, int64_t heads) {
  return {.patch_size = patch, .embed_dim = dim, .depth = depth, .num_heads = heads};
}

// timm's small models with one register, mean pooling and LayerScale, at 256 pixels.
ViTConfig modern(int64_t dim, int64_t heads, double mlp_ratio) {
  ViTConfig c = published(16, dim, 14, heads);
  c.img_size = 256, c.mlp_ratio = mlp_ratio, c.init_values = 1e-5, c.global_pool = "avg";
  c.class_token = false, c.no_embed_class = true, c.reg_tokens = 1;
  return c;
}

// For small images: patches of 4 on 28 x 28 or 32 x 32, ten classes.
ViTConfig small(Size2d image, int64_t chans, int64_t dim, int64_t depth, int64_t heads, double mlp_ratio) {
  return {.img_size = image,
          .patch_size = 4,
          .in_chans = chans,
          .num_classes = 10,
          .embed_dim = dim,
          .depth = depth,
          .num_heads = heads,
          .mlp_ratio = mlp_ratio};
}

ViTConfig fashion_p7() {
  ViTConfig c = small(28, 1, 64, 4, 4, 2);
  c.patch_size = 7;
  return c;
}

ViTConfig lite() {
  ViTConfig c = small(32, 3, 256, 6, 4, 2);
  c.qkv_bias = false;
  return c;
}

// Convolutional patch embedding, encoder, mean over the tokens, linear head; nothing else.
ViTConfig plain() {
  ViTConfig c = small(28, 1, 64, 4, 4, 2);
  c.class_token = false, c.global_pool = "avg";
  return c;
}

std::vector<Preset> make_presets() {
  return {
      {"vit_huge_patch14_224", "ViT-H/14, 632 M parameters, 224 x 224", published(14, 1280, 32, 16)},
      {"vit_large_patch14_224", "ViT-L/14, 304 M parameters, 224 x 224", published(14, 1024, 24, 16)},
      {"vit_large_patch16_224", "ViT-L/16, 304 M parameters, 224 x 224", published(16, 1024, 24, 16)},
      {"vit_large_patch32_224", "ViT-L/32, 307 M parameters, 224 x 224", published(32, 1024, 24, 16)},
      {"vit_base_patch8_224", "ViT-B/8, 87 M parameters, 224 x 224, four times the tokens of B/16", published(8, 768, 12, 12)},
      {"vit_base_patch16_224", "ViT-B/16, 87 M parameters, 224 x 224", published(16, 768, 12, 12)},
      {"vit_base_patch32_224", "ViT-B/32, 88 M parameters, 224 x 224", published(32, 768, 12, 12)},
      {"vit_small_patch16_224", "ViT-S/16, 22 M parameters, 224 x 224", published(16, 384, 12, 6)},
      {"vit_small_patch32_224", "ViT-S/32, 23 M parameters, 224 x 224", published(32, 384, 12, 6)},
      {"vit_tiny_patch16_224", "ViT-Ti/16, 5.7 M parameters, 224 x 224", published(16, 192, 12, 3)},
      {"vit_little_patch16_reg1_gap_256", "22.5 M parameters, one register, mean pooling, 256 x 256", modern(320, 5, 5.6)},
      {"vit_wee_patch16_reg1_gap_256", "13.4 M parameters, one register, mean pooling, 256 x 256", modern(256, 4, 5)},
      {"vit_cifar_d384L7h12m1", "6.27 M parameters, 32 x 32 colour, patch 4", small(32, 3, 384, 7, 12, 1)},
      {"vit_lite_6_4", "ViT-Lite-6/4, 3.19 M parameters, 32 x 32 colour, patch 4", lite()},
      {"vit_cifar_d192L9h12m2", "2.70 M parameters, 32 x 32 colour, patch 4", small(32, 3, 192, 9, 12, 2)},
      {"vit_cifar_d128L6h4m2", "0.81 M parameters, 32 x 32 colour, patch 4", small(32, 3, 128, 6, 4, 2)},
      {"vit_cifar_d96L4h4m2", "0.31 M parameters, 32 x 32 colour, patch 4", small(32, 3, 96, 4, 4, 2)},
      {"vit_fashion", "0.21 M parameters, 28 x 28 grey, patch 4", small(28, 1, 64, 6, 4, 2)},
      {"vit_fashion_p7", "0.14 M parameters, 28 x 28 grey, patch 7: a first look in two minutes", fashion_p7()},
      {"vit_plain", "0.14 M parameters, 28 x 28 grey, patch 4, mean over the tokens, no class token", plain()},
      {"cct_7_3x1", "CCT-7/3x1, 3.76 M parameters, 32 x 32 colour",
       CctConfig{.embed_dim = 256, .depth = 7, .num_heads = 4, .mlp_ratio = 2, .conv_layers = 1}},
      {"cct_4_3x2", "CCT-4/3x2, 0.48 M parameters, 32 x 32 colour", CctConfig{.depth = 4}},
      {"cct_2_3x2", "CCT-2/3x2, 0.28 M parameters, 32 x 32 colour: most accuracy for its cost", CctConfig{}},
      {"cct_2_3x2_d64", "CCT-2/3x2 of width 64, 0.09 M parameters, 28 x 28 grey: the default for such images",
       CctConfig{.img_size = 28, .in_chans = 1, .embed_dim = 64, .num_heads = 4, .mlp_ratio = 2, .conv_width = 32}},
      {"resnet18_cifar", "ResNet-18 for 32 x 32 colour, 11.2 M parameters", ResNetConfig{}},
      {"resnet10_cifar_w16", "ResNet-10 of width 16, 0.31 M parameters, 32 x 32 colour",
       ResNetConfig{.widths = {16, 32, 64, 128}, .blocks_per_stage = 1}},
      {"cnn", "convolutional network, 0.29 M parameters, 32 x 32 colour", CnnConfig{}},
      {"mlp", "one hidden layer of 256 on 28 x 28 grey pixels", MlpConfig{}},
      {"linear", "softmax regression on 28 x 28 grey pixels: the baseline of baselines", MlpConfig{.hidden = {}}},
  };
}

}  // namespace

void validate(const ModelConfig& config, int64_t max_bytes) {
  std::visit([](const auto& fields) { check_fields(fields); }, config);
  check_weight_bytes(parameter_count(config), max_bytes);
}

int64_t parameter_count(const ModelConfig& config) {
  return std::visit([](const auto& fields) { return count_parameters(fields); }, config);
}

const std::vector<Preset>& presets() {
  static const std::vector<Preset> all = make_presets();
  return all;
}

const Preset& find_preset(const std::string& name) {
  std::vector<std::string> names;
  std::string list;
  for (const Preset& preset : presets()) {
    if (preset.name == name) return preset;
    names.push_back(preset.name);
    list += (list.empty() ? "" : ", ") + preset.name;
  }
  const std::string near = nearest(name, names);
  fail(ErrorKind::kValue, "presets", "no model has this name: it is ", quote(name),
       ". Hint: ", near.empty() ? "" : cat("did you mean ", near, "? "), "There are ", list, ".");
}

ModelConfig adapted(ModelConfig config, const DataShape& data) {
  std::visit(
      [&](auto& c) {
        if (data.in_chans > 0) c.in_chans = data.in_chans;
        if (data.img_height > 0) c.img_size.h = data.img_height;
        if (data.img_width > 0) c.img_size.w = data.img_width;
        if (data.num_classes >= 0) c.num_classes = data.num_classes;
      },
      config);
  return config;
}

std::unique_ptr<Classifier> make_model(const ModelConfig& config, Rng& rng) {
  return std::visit(
      [&]<class Config>(const Config& c) -> std::unique_ptr<Classifier> { return std::make_unique<typename Config::Model>(c, rng); },
      config);
}

ModelConfig parse_config(const std::string& text) {
  const size_t start = text.find_first_not_of(" \t\r\n");
  if (start != std::string::npos && text[start] == '{') return config_from_json(text);
  return find_preset(text).config;
}

std::unique_ptr<Classifier> make_model(const std::string& preset_or_json, Rng& rng, const DataShape& data) {
  return make_model(adapted(parse_config(preset_or_json), data), rng);
}

}  // namespace vitrail::models
