// open_clip_config.json (open_clip 3.3).
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "models/weights/families/preprocess_rules.h"
#include "models/weights/families/sidecar.h"
#include "models/weights/families/sidecar_fields.h"

namespace vitrail::weights {

namespace {

// What becomes of the tokens: open_clip's pool_type and final_ln_after_pool (transformer.py, VisionTransformer).
void read_open_clip_pooling(JsonObject& vision, Sidecar& s) {
  const std::string pool = vision.text_or("pool_type", "tok");
  if (pool != "tok" && pool != "avg") vision.refuse("pool_type", "known are tok and avg");
  if (vision.boolean_or("attentional_pool", false))
    vision.refuse("attentional_pool", "CoCa's pooling is not a part of this ViT");
  s.global_pool = pool == "tok" ? "token" : "avg";
  s.norm_behind_pool = vision.boolean_or("final_ln_after_pool", false);
}

// norm_kwargs and act_kwargs, which open_clip hands to torch.nn.LayerNorm and torch.nn.GELU.
void read_open_clip_layers(JsonObject& vision, const std::string& path, Sidecar& s) {
  if (vision.has("norm_kwargs") && !vision.is_null("norm_kwargs")) {
    JsonObject norm(vision.value("norm_kwargs"), path, "norm_kwargs", ErrorKind::kData);
    s.norm_eps = norm.number_or("eps", 0, 1, *s.norm_eps);
    norm.finish();
  }
  if (vision.has("act_kwargs") && !vision.is_null("act_kwargs")) {
    JsonObject act(vision.value("act_kwargs"), path, "act_kwargs", ErrorKind::kData);
    const std::string approximate = act.text_or("approximate", "none");
    if (approximate != "none" && approximate != "tanh") act.refuse("approximate", "known are none and tanh");
    if (approximate == "tanh") s.act_layer = "gelu_tanh";
    act.finish();
  }
}

// open_clip 3.3, timm_model.py: the pool of the trunk, "" or null for the one that it has by itself. Without a timm_proj the
// trunk's own head makes the embedding.
void read_open_clip_trunk(JsonObject& vision, const std::string& path, Sidecar& s) {
  follow_timm_name(vision.text("timm_model_name"), path, s);
  s.head_embeds = vision.has("timm_proj") && vision.is_null("timm_proj");
  if (vision.boolean_or("timm_proj_bias", false)) vision.refuse("timm_proj_bias", "the projection here has no bias");
  const std::string pool = vision.has("timm_pool") && vision.is_null("timm_pool") ? "" : vision.text_or("timm_pool", "avg");
  for (const char* known : {"", "token", "avg", "max", "avgmax", "map"})
    if (pool == known) {
      if (!pool.empty()) s.global_pool = pool;
      return;
    }
  vision.refuse("timm_pool", "known are token, avg, max, avgmax, map and none (\"\")");
}

// open_clip 3.3, transform.py, PreprocessCfg and image_transform().
Preprocessing read_open_clip_pictures(JsonObject& o, const std::string& path, models::Size2d image) {
  Preprocessing p = family_preprocessing("clip", image);
  p.alpha = AlphaRule::kPremultiplied;
  if (!o.has("preprocess_cfg")) return p;
  JsonObject cfg(o.value("preprocess_cfg"), path, "preprocess_cfg", ErrorKind::kData);
  p.mean = cfg.numbers_or("mean", -1e6, 1e6, p.mean), p.std = cfg.numbers_or("std", 1e-12, 1e6, p.std);
  const std::string interpolation = cfg.text_or("interpolation", "bicubic");
  // "random" is for training: it evaluates with bicubic.
  p.interpolation = interpolation == "random" ? Resample::kBicubic : interpolation_of(interpolation, path);
  const std::string mode = cfg.text_or("resize_mode", "shortest");
  if (mode != "shortest" && mode != "squash" && mode != "longest")
    cfg.refuse("resize_mode", "known are shortest, squash, longest");
  // It resizes for other than square inputs with its default.
  if (mode == "shortest" && image.h != image.w) p.interpolation = Resample::kBicubic;
  if (mode == "squash") p.resize = ResizeMode::kSquash;
  if (mode == "longest") {
    p.resize = ResizeMode::kContain;
    p.padding.assign(p.mean.size(), cfg.integer_or("fill_color", 0, 255, 0));
  }
  return p;
}

}  // namespace

// open_clip 3.3, model.py, CLIPVisionCfg and _build_vision_tower().
void read_open_clip_config(const std::string& path, Sidecar& s) {
  const JsonDocument json(read_text_file(path), path);
  JsonObject o(json.root(), path, "", ErrorKind::kData);
  s.kind = "open_clip", s.architecture = "clip";
  JsonObject model(o.value("model_cfg"), path, "model_cfg", ErrorKind::kData);
  JsonObject vision(model.value("vision_cfg"), path, "model_cfg.vision_cfg", ErrorKind::kData);
  s.projection = whole(model, "embed_dim");
  s.img_size = size(vision, "image_size").value_or(models::Size2d(224)), s.patch_size = size(vision, "patch_size");
  if (!vision.has("timm_model_name")) {
    s.embed_dim = whole(vision, "width").value_or(768), s.depth = whole(vision, "layers").value_or(12);
    const int64_t head_width = whole(vision, "head_width").value_or(64);
    if (head_width > 0) s.num_heads = *s.embed_dim / head_width;
    s.norm_eps = 1e-5;
    s.act_layer = model.boolean_or("quick_gelu", false) ? "quick_gelu" : "gelu";
    read_open_clip_layers(vision, path, s);
    read_open_clip_pooling(vision, s);
  } else {
    read_open_clip_trunk(vision, path, s);
  }
  s.preprocessing = read_open_clip_pictures(o, path, *s.img_size), s.preprocessing_file = path;
}

}  // namespace vitrail::weights
