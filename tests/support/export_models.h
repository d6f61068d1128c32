// Tiny models, one for each thing that a library's ViT has or lacks, and the targets of convert that can express it.
#pragma once

#include <string>
#include <vector>

#include "models/presets.h"
#include "models/vit.h"
#include "models/weights/save.h"
#include "tensor/ops.h"
#include "tensor/rng.h"

namespace vitrail::testing {

struct ExportCase {
  std::string name, targets;  // "timm hf torchvision"; vitrail and onnx can express every one
  models::ModelConfig config;
  bool writes(const std::string& target) const { return (" " + targets + " ").find(" " + target + " ") != std::string::npos; }
};

inline std::vector<ExportCase> export_cases() {
  using models::ViTConfig;
  const auto vit = [](auto change) {
    ViTConfig c;
    c.img_size = 16, c.patch_size = 4, c.num_classes = 5, c.embed_dim = 24, c.depth = 2, c.num_heads = 2, c.mlp_hidden = 40;
    change(c);
    return models::ModelConfig(c);
  };
  const auto clip = [](ViTConfig& c) { c.pre_norm = true, c.act_layer = "quick_gelu", c.norm_eps = 1e-5; };
  const auto dinov2 = [](ViTConfig& c) { c.init_values = 1, c.mlp_hidden = 48, c.global_pool = "token_avg"; };
  models::CctConfig cct;
  cct.embed_dim = 16, cct.conv_width = 8, cct.num_classes = 5, cct.img_size = 18;
  return {
      {"plain", "timm hf torchvision", vit([](ViTConfig&) {})},
      {"no_head", "timm hf", vit([](ViTConfig& c) { c.num_classes = 0; })},
      {"tiny_eps", "hf torchvision", vit([](ViTConfig& c) { c.norm_eps = 1e-12; })},
      {"no_qkv_bias", "timm hf", vit([](ViTConfig& c) { c.qkv_bias = false; })},
      {"average", "timm", vit([](ViTConfig& c) { c.global_pool = "avg"; })},
      {"registers", "timm",
       vit([](ViTConfig& c) { c.class_token = false, c.reg_tokens = 3, c.global_pool = "avg", c.fc_norm = false; })},
      {"largest", "timm", vit([](ViTConfig& c) { c.global_pool = "max", c.qk_norm = true; })},
      {"half_of_each", "timm", vit([](ViTConfig& c) { c.global_pool = "avgmax", c.pool_include_prefix = true; })},
      {"map", "timm", vit([](ViTConfig& c) { c.class_token = false, c.global_pool = "map", c.act_layer = "gelu_tanh"; })},
      {"map-registers", "timm", vit([](ViTConfig& c) { c.class_token = false, c.global_pool = "map", c.reg_tokens = 2; })},
      {"map-prefix", "timm", vit([](ViTConfig& c) { c.global_pool = "map", c.pool_include_prefix = true; })},
      {"layer_scale", "timm", vit([](ViTConfig& c) { c.init_values = 0.1, c.no_embed_class = true, c.num_classes = 5; })},
      {"grey_rectangle", "timm hf", vit([](ViTConfig& c) {
         c.img_size = {12, 16}, c.patch_size = {4, 8}, c.in_chans = 1;
       })},
      {"silu", "timm hf", vit([](ViTConfig& c) { c.act_layer = "silu"; })},
      {"no_embed_class", "timm hf", vit([](ViTConfig& c) { c.no_embed_class = true; })},
      {"no_positions", "timm", vit([](ViTConfig& c) { c.pos_embed = "none"; })},
      {"distilled", "timm hf", vit([](ViTConfig& c) { c.dist_token = true, c.dist_head = true; })},
      {"distillation_token", "hf", vit([](ViTConfig& c) { c.dist_token = true; })},
      {"clip_head", "timm", vit(clip)},
      {"clip_average", "timm hf", vit([&](ViTConfig& c) { clip(c), c.global_pool = "avg", c.final_norm = false; })},
      {"clip_projection", "hf", vit([&](ViTConfig& c) { clip(c), c.num_classes = 0, c.projection = 7; })},
      {"dinov2", "hf", vit(dinov2)},
      {"dinov2_registers", "hf", vit([&](ViTConfig& c) { dinov2(c), c.reg_tokens = 2, c.no_embed_class = true; })},
      {"patch_norms", "",
       vit([](ViTConfig& c) { c.patch_norms = true, c.head_dim = 16, c.qkv_bias = false, c.norm_eps = 1e-5; })},
      {"post_norm", "", vit([](ViTConfig& c) { c.post_norm = true; })},
      {"cct", "", models::ModelConfig(cct)},
  };
}

// With weights that hide nothing: no bias is zero, no norm one.
inline LoadedModel export_model_of(const ExportCase& example) {
  LoadedModel loaded;
  Rng rng(7);
  loaded.model = models::make_model(example.config, rng);
  nn::StateDict state;
  uint64_t seed = 0;
  for (const auto& [name, value] : loaded.model->state_dict()) {
    const bool scale = value.dim() == 1 && name.ends_with("weight");
    state.emplace_back(name, rand_normal(value.shape(), scale ? 1 : 0, 0.2, Rng(++seed)));
  }
  loaded.model->load_state_dict(state);
  loaded.model->eval();
  Preprocessing& p = loaded.card.preprocessing;
  p.height = loaded.model->img_height(), p.width = loaded.model->img_width(), p.channels = loaded.model->in_chans();
  p.mean.assign(static_cast<size_t>(p.channels), 0.25), p.std.assign(static_cast<size_t>(p.channels), 0.125);
  for (int64_t i = 0; i < loaded.model->num_classes(); ++i) loaded.card.class_names.push_back(cat("class \"", i, "\""));
  return loaded;
}

}  // namespace vitrail::testing
