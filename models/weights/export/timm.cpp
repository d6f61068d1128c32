// timm 1.0.31: models/vision_transformer.py and deit.py (constructors), models/_hub.py and _factory.py (config.json).
#include <cmath>

#include "base/json_writer.h"
#include "models/weights/export/exported.h"
#include "models/weights/export/pictures.h"

namespace vitrail::weights {

namespace {

using models::Size2d;
using models::ViTConfig;

// timm's JSON cannot say an epsilon: it comes with the function that is named.
constexpr double kUsualEps = 1e-6, kClipEps = 1e-5;

// Every size is an argument (model_args): the function's name only says what the model is like.
std::string function_for(const ViTConfig& c, double eps) {
  if (eps == kClipEps) return "vit_base_patch16_clip_224";
  if (c.dist_token) return "deit_tiny_distilled_patch16_224";
  const std::pair<int64_t, const char*> known[] = {{192, "vit_tiny_patch16_224"},
                                                   {384, "vit_small_patch16_224"},
                                                   {768, "vit_base_patch16_224"},
                                                   {1024, "vit_large_patch16_224"},
                                                   {1280, "vit_huge_patch14_224"}};
  for (const auto& [width, name] : known)
    if (c.embed_dim <= width) return name;
  return "vit_giant_patch14_224";
}

double eps_for(const ViTConfig& c, const ExportOptions& options, std::vector<std::string>& notes) {
  if (c.norm_eps == kUsualEps || (c.norm_eps == kClipEps && !c.dist_token)) return c.norm_eps;
  const double nearest = c.norm_eps > 3e-6 && !c.dist_token ? kClipEps : kUsualEps;
  check(options.nearest_eps, ErrorKind::kValue, "convert", "timm's config.json cannot say norm_eps ", c.norm_eps,
        ": its models have ", kUsualEps, c.dist_token ? "" : cat(" or ", kClipEps), ". Hint: --nearest-eps writes ", nearest,
        ", which moves the logits a little.");
  notes.push_back(cat("norm_eps is ", nearest, " in timm, ", c.norm_eps, " here: the logits differ a little"));
  return nearest;
}

void check_expressible(const ViTConfig& c) {
  Limits limits("timm");
  limits.need(models::attention_width(c) == c.embed_dim, "head_dim ", c.head_dim, " (timm: embed_dim / num_heads)");
  limits.need(!c.patch_norms, "layer norms around the patch projection");
  limits.need(models::has_patch_bias(c) == !c.pre_norm, "patch_bias ", models::has_patch_bias(c), " with pre_norm ",
              c.pre_norm);
  limits.need(c.global_pool != "token_avg", "global_pool token_avg");
  limits.need(!c.post_norm, "post_norm blocks");
  limits.need(c.projection == 0, "a projection beside the head (CLIP)");
  limits.need(c.act_layer != "tanh" && c.act_layer != "sigmoid", "act_layer ", c.act_layer);
  if (c.dist_token) {
    limits.need(c.reg_tokens == 0, "reg_tokens with a distillation token");
    limits.need(c.num_classes == 0 || c.dist_head, "a distillation token without its head");
    limits.need(!c.no_embed_class, "no_embed_class with a distillation token");
    limits.need(c.global_pool == "token", "global_pool ", c.global_pool, " with a distillation token");
  }
  limits.finish();
}

// int(D ratio) is the width, in timm's floating-point arithmetic.
double ratio_for(int64_t width, int64_t dim) {
  double ratio = static_cast<double>(width) / static_cast<double>(dim);
  while (static_cast<int64_t>(static_cast<double>(dim) * ratio) < width) ratio = std::nextafter(ratio, INFINITY);
  return ratio;
}

void put_size(JsonWriter& json, const char* key, Size2d size) {
  if (size.h == size.w)
    json.field(key, size.h);
  else
    json.field(key, std::vector<int64_t>{size.h, size.w});
}

// num_classes is not among them: timm takes it from pretrained_cfg, and transformers' TimmWrapper refuses it here.
void put_model_args(JsonWriter& json, const ViTConfig& c) {
  json.key("model_args").begin_object();
  put_size(json, "img_size", c.img_size), put_size(json, "patch_size", c.patch_size);
  json.field("in_chans", c.in_chans).field("global_pool", c.global_pool);
  json.field("embed_dim", c.embed_dim).field("depth", c.depth).field("num_heads", c.num_heads);
  json.field("mlp_ratio", ratio_for(models::mlp_width(c), c.embed_dim));
  json.field("qkv_bias", c.qkv_bias).field("qk_norm", c.qk_norm).field("proj_bias", c.proj_bias);
  if (c.init_values.value_or(0) > 0) json.field("init_values", *c.init_values);
  const bool positions = c.pos_embed == "learn" || c.pos_embed == "sincos2d";
  json.field("pos_embed", positions ? "learn" : "none");
  json.field("pre_norm", c.pre_norm).field("final_norm", c.final_norm);
  const bool pooled = c.global_pool == "avg" || c.global_pool == "max" || c.global_pool == "avgmax";
  json.field("fc_norm", c.final_norm && c.fc_norm.value_or(pooled));
  json.field("pool_include_prefix", c.pool_include_prefix);
  if (!c.dist_token)  // VisionTransformerDistilled sets its tokens itself
    json.field("class_token", c.class_token).field("no_embed_class", c.no_embed_class).field("reg_tokens", c.reg_tokens);
  if (c.act_layer != "gelu") json.field("act_layer", c.act_layer);
  if (c.dynamic_img_size) json.field("dynamic_img_size", true);
  json.end_object();
}

void put_pretrained_cfg(JsonWriter& json, const ViTConfig& c, const TimmPictures& pictures) {
  json.key("pretrained_cfg").begin_object();
  json.field("custom_load", false).field("input_size", std::vector<int64_t>{c.in_chans, c.img_size.h, c.img_size.w});
  json.field("fixed_input_size", !c.dynamic_img_size).field("interpolation", pictures.interpolation);
  json.field("crop_pct", pictures.crop_pct).field("crop_mode", pictures.crop_mode);
  json.field("mean", pictures.mean).field("std", pictures.std).field("num_classes", c.num_classes);
  json.key("pool_size").null().field("first_conv", "patch_embed.proj").key("classifier");
  if (c.dist_token)
    json.value(std::vector<std::string>{"head", "head_dist"});
  else
    json.value("head");
  json.end_object();
}

}  // namespace

Exported to_timm(const models::ViT& model, const nn::StateDict& state, const ModelCard& card, const ExportOptions& options) {
  const ViTConfig& c = model.config();
  check_expressible(c);
  Exported out;
  const std::string function = function_for(c, eps_for(c, options, out.notes));
  const TimmPictures pictures = to_timm_pictures(card.preprocessing, out.notes);
  if (c.pos_embed == "sincos2d") out.notes.emplace_back("the fixed sin-cos positions become a trainable pos_embed in timm");
  JsonWriter json(2);
  json.begin_object().field("architecture", function).field("num_classes", c.num_classes);
  json.field("num_features", c.embed_dim).field("global_pool", c.global_pool);
  if (!card.class_names.empty()) json.field("label_names", card.class_names);
  put_model_args(json, c);
  put_pretrained_cfg(json, c, pictures);
  out.what = cat("timm's ", function);
  out.texts.emplace_back("config.json", json.end_object().text() + "\n");
  out.weights.tensors = state;
  out.weights.metadata.emplace_back("format", "pt");
  return out;
}

}  // namespace vitrail::weights
