// timm's config.json (1.0.31 and older).
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "models/weights/families/preprocess_rules.h"
#include "models/weights/families/sidecar.h"
#include "models/weights/families/sidecar_fields.h"

namespace vitrail::weights {

namespace {

// What timm's functions give to their models beside sizes, by the name of the function (timm 1.0.31, vision_transformer.py,
// deit.py).
void rules_by_name(const std::string& name, Sidecar& s) {
  const auto has = [&](const char* part) { return name.find(part) != std::string::npos; };
  s.norm_eps = has("_clip_") ? 1e-5 : 1e-6;
  const bool tanh = has("patch32_siglip") || has("large_patch16_siglip_512") || has("large_patch16_siglip_gap_512") ||
                    has("so400m_patch16_siglip") || has("giantopt_");
  s.act_layer = has("quickgelu") ? "quick_gelu" : tanh ? "gelu_tanh" : "gelu";
  if (has("base_patch16_gap_224")) s.num_heads = 16;
  if (name == "test_vit" || name == "test_vit2") s.num_heads = 2;
  if (name == "test_vit3" || name == "test_vit4") s.num_heads = 3;
  s.pool_include_prefix = name == "test_vit3";
}

// timm's functions that build its VisionTransformer. Among those with its name are some of other classes and other blocks,
// whose tensors may have the very same names: rotary and relative positions, norms behind the residual, differential attention,
// a convolutional stem.
void check_architecture(const std::string& name, const std::string& path) {
  if (name.empty()) return;
  bool known = false, other = false;
  for (const char* start : {"vit_", "deit", "flexivit_", "test_vit", "eva_large_"}) known = known || name.starts_with(start);
  for (const char* part : {"dinov3", "_rope_", "_pe_", "relpos", "_rpn_", "_dlittle_", "_dwee_", "_dpwee_", "_mci_"})
    other = other || name.find(part) != std::string::npos;
  if (known && !other) return;
  fail(ErrorKind::kData, "weights", escaped_path(path), ": not a ViT that this program runs: architecture is ", quote(name),
       ". Hint: it runs timm's vit_, deit_, deit3_ and flexivit_ models.");
}

void read_input_size(JsonObject& o, Sidecar& s) {
  const std::vector<int64_t> input = o.integers_or("input_size", 1, models::kMaxSide, {});
  if (input.size() != 3) return;
  s.in_chans = input[0];
  s.img_size = models::Size2d(input[1], input[2]);
}

// Pictures for the size that the model has: model_args may have changed it from that of pretrained_cfg.
void read_pictures(JsonObject& o, Sidecar& s) {
  if (!s.img_size) return;
  TimmPictures t;
  t.size = *s.img_size;
  t.mean = o.numbers_or("mean", -1e6, 1e6, {0.485, 0.456, 0.406});  // timm's IMAGENET_DEFAULT_MEAN and _STD
  t.std = o.numbers_or("std", 1e-12, 1e6, {0.229, 0.224, 0.225});
  t.crop_pct = o.has("crop_pct") && !o.is_null("crop_pct") ? o.number("crop_pct", 0.01, 1) : 0.875;  // timm's DEFAULT_CROP_PCT
  t.interpolation = o.text_or("interpolation", "bicubic");
  t.crop_mode = o.text_or("crop_mode", "center");
  if (t.mean.empty() || t.mean.size() != t.std.size()) return;
  s.preprocessing = timm_preprocessing(t, s.file);
  s.preprocessing_file = s.file;
}

void read_model_args(JsonObject& args, const std::string& path, Sidecar& s) {
  if (const auto given = size(args, "img_size")) s.img_size = given;
  s.patch_size = size(args, "patch_size");
  s.embed_dim = whole(args, "embed_dim"), s.depth = whole(args, "depth");
  if (const auto given = whole(args, "in_chans")) s.in_chans = given;
  if (const auto given = whole(args, "num_heads")) s.num_heads = given;
  if (args.has("global_pool") && args.is_text("global_pool")) s.global_pool = args.text("global_pool");
  if (args.has("pos_embed") && args.is_text("pos_embed"))
    s.no_positions = args.text("pos_embed").empty() || args.text("pos_embed") == "none";
  s.pool_include_prefix = args.boolean_or("pool_include_prefix", s.pool_include_prefix);
  // A norm that is named has timm's own epsilon, not that of the function.
  if (args.has("norm_layer") && args.is_text("norm_layer")) s.norm_eps = 1e-6;
  if (args.has("act_layer") && args.is_text("act_layer")) s.act_layer = activation_of(args.text("act_layer"), path);
}

}  // namespace

void follow_timm_name(const std::string& name, const std::string& path, Sidecar& s) {
  check_architecture(name, path);
  rules_by_name(name, s);
}

void read_timm_config(const std::string& path, Sidecar& s) {
  const JsonDocument json(read_text_file(path), path);
  JsonObject o(json.root(), path, "", ErrorKind::kData);
  s.kind = "timm";
  s.architecture = o.text_or("architecture", "");
  follow_timm_name(s.architecture, path, s);
  if (o.has("global_pool") && o.is_text("global_pool")) s.global_pool = o.text("global_pool");
  s.class_names = o.texts_or("label_names", {});
  std::optional<JsonObject> cfg;
  if (o.has("pretrained_cfg")) cfg.emplace(o.value("pretrained_cfg"), path, "pretrained_cfg", ErrorKind::kData);
  if (cfg) read_input_size(*cfg, s);
  if (o.has("model_args") && !o.is_null("model_args")) {
    JsonObject args(o.value("model_args"), path, "model_args", ErrorKind::kData);
    read_model_args(args, path, s);
  }
  if (cfg) read_pictures(*cfg, s);
}

}  // namespace vitrail::weights
