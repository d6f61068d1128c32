// torchvision 0.28: models/vision_transformer.py.
#include "base/json_writer.h"
#include "models/weights/export/exported.h"
#include "models/weights/families/names.h"

namespace vitrail::weights {

namespace {

void check_expressible(const models::ViTConfig& c) {
  Limits limits("torchvision");
  limits.need(c.img_size.h == c.img_size.w && c.patch_size.h == c.patch_size.w, "rectangular pictures or patches");
  limits.need(c.in_chans == 3, "in_chans ", c.in_chans);
  limits.need(c.num_classes > 0, "a model without a head");
  limits.need(c.class_token && c.global_pool == "token", "global_pool ", c.global_pool);
  limits.need(!c.dist_token, "a distillation token");
  limits.need(c.reg_tokens == 0, "reg_tokens ", c.reg_tokens);
  limits.need(models::attention_width(c) == c.embed_dim, "head_dim ", c.head_dim);
  limits.need(c.pos_embed == "learn" || c.pos_embed == "sincos2d", "pos_embed ", c.pos_embed);
  limits.need(!c.no_embed_class, "no_embed_class");
  limits.need(c.qkv_bias && c.proj_bias && models::has_patch_bias(c), "layers without bias");
  limits.need(!c.qk_norm, "qk_norm");
  limits.need(!c.patch_norms && !c.pre_norm && !c.post_norm, "layer norms at other places");
  limits.need(c.final_norm && !c.fc_norm.value_or(false), "no norm before the pooling");
  limits.need(c.init_values.value_or(0) == 0, "LayerScale");
  limits.need(c.act_layer == "gelu", "act_layer ", c.act_layer);
  limits.need(c.projection == 0, "a projection (CLIP)");
  limits.finish();
}

}  // namespace

Exported to_torchvision(const models::ViT& model, const nn::StateDict& state, const ModelCard& card) {
  const models::ViTConfig& c = model.config();
  check_expressible(c);
  Exported out;
  out.what = "torchvision's VisionTransformer";
  for (const auto& [name, tensor] : state) {
    const std::string theirs = their_name(family_names("torchvision"), name, -1, nullptr);
    check(!theirs.empty(), ErrorKind::kValue, "convert", "torchvision has no name for ", name, ".");
    out.weights.tensors.emplace_back(theirs, tensor);
  }
  JsonWriter arguments, names;
  arguments.begin_object().field("image_size", c.img_size.h).field("patch_size", c.patch_size.h);
  arguments.field("num_layers", c.depth).field("num_heads", c.num_heads).field("hidden_dim", c.embed_dim);
  arguments.field("mlp_dim", models::mlp_width(c)).field("num_classes", c.num_classes).end_object();
  JsonWriter eps;
  eps.value(c.norm_eps);
  names.value(card.class_names);
  out.weights.metadata = {{"format", "pt"},
                          {"vision_transformer", arguments.text()},
                          {"norm_eps", eps.text()},
                          {"preprocessing", preprocessing_to_json(card.preprocessing)},
                          {"class_names", names.text()},
                          {"task", card.task}};
  if (c.norm_eps != 1e-6)
    out.notes.push_back(
        cat("norm_eps is ", c.norm_eps, ": give torchvision norm_layer=partial(LayerNorm, eps=", c.norm_eps, ")"));
  return out;
}

}  // namespace vitrail::weights
