// The configuration of the ViT: its fields, their limits, the number of parameters.
#include "models/vit.h"

namespace vitrail::models {
namespace {

void check_patches(const ViTConfig& c) {
  in_range("patch_size", c.patch_size.h, 1, kMaxSide);
  in_range("patch_size", c.patch_size.w, 1, kMaxSide);
  require(c.img_size.h % c.patch_size.h == 0 && c.img_size.w % c.patch_size.w == 0,
          "img_size must be a multiple of patch_size: img_size is ", c.img_size.h, " x ", c.img_size.w, ", patch_size is ",
          c.patch_size.h, " x ", c.patch_size.w, ". Hint: choose another patch_size, or resize or pad the images.");
  in_range("number of patches", (c.img_size.h / c.patch_size.h) * (c.img_size.w / c.patch_size.w), 1, kMaxTokens);
}

}  // namespace

void visit_fields(ViTConfig& c, FieldVisitor& v) {
  v("img_size", c.img_size), v("patch_size", c.patch_size), v("in_chans", c.in_chans), v("num_classes", c.num_classes);
  v("global_pool", c.global_pool), v("embed_dim", c.embed_dim), v("depth", c.depth), v("num_heads", c.num_heads);
  v("mlp_ratio", c.mlp_ratio), v("qkv_bias", c.qkv_bias), v("qk_norm", c.qk_norm), v("proj_bias", c.proj_bias);
  v("init_values", c.init_values), v("class_token", c.class_token), v("pos_embed", c.pos_embed);
  v("no_embed_class", c.no_embed_class), v("reg_tokens", c.reg_tokens), v("pre_norm", c.pre_norm);
  v("final_norm", c.final_norm), v("fc_norm", c.fc_norm), v("post_norm", c.post_norm);
  v("dynamic_img_size", c.dynamic_img_size), v("drop_rate", c.drop_rate), v("pos_drop_rate", c.pos_drop_rate);
  v("patch_drop_rate", c.patch_drop_rate), v("proj_drop_rate", c.proj_drop_rate), v("attn_drop_rate", c.attn_drop_rate);
  v("drop_path_rate", c.drop_path_rate), v("act_layer", c.act_layer), v("norm_eps", c.norm_eps);
  v("weight_init", c.weight_init), v("fix_init", c.fix_init), v("pool_include_prefix", c.pool_include_prefix);
}

void check_fields(const ViTConfig& c) {
  check_image(c.img_size, c.in_chans, c.num_classes, 0);
  check_patches(c);
  check_encoder(c.embed_dim, c.depth, c.num_heads, c.mlp_ratio, c.norm_eps);
  in_range("reg_tokens", c.reg_tokens, 0, kMaxWidth);
  one_of("global_pool", c.global_pool, {"token", "avg", "max", "avgmax"});
  require(c.class_token || c.global_pool != "token",
          "global_pool token needs a class token: class_token is false. Hint: set global_pool to avg.");
  one_of("pos_embed", c.pos_embed, {"learn", "sincos2d", "none", ""});
  require(c.pos_embed != "sincos2d" || (c.embed_dim % 4 == 0 && c.embed_dim >= 8),
          "pos_embed sincos2d needs an embed_dim that is a multiple of 4 and at least 8: it is ", c.embed_dim);
  one_of("act_layer", c.act_layer, {"gelu", "gelu_tanh", "quick_gelu", "relu", "silu", "tanh", "sigmoid"});
  one_of("weight_init", c.weight_init, {"timm", "", "jax", "jax_nlhb", "moco", "reset", "skip"});
  if (c.init_values) in_range("init_values", *c.init_values, 0, 100);
  is_rate("drop_rate", c.drop_rate), is_rate("pos_drop_rate", c.pos_drop_rate), is_rate("patch_drop_rate", c.patch_drop_rate);
  is_rate("proj_drop_rate", c.proj_drop_rate), is_rate("attn_drop_rate", c.attn_drop_rate);
  is_rate("drop_path_rate", c.drop_path_rate);
}

int64_t count_parameters(const ViTConfig& c) {
  const int64_t d = c.embed_dim;
  const int64_t prefix = (c.class_token ? 1 : 0) + c.reg_tokens;
  const int64_t patches = (c.img_size.h / c.patch_size.h) * (c.img_size.w / c.patch_size.w);
  int64_t total = linear_count(c.in_chans * c.patch_size.h * c.patch_size.w, d, !c.pre_norm) + prefix * d;
  if (c.pos_embed == "learn") total += (patches + (c.no_embed_class ? 0 : prefix)) * d;
  int64_t block = block_count(d, c.mlp_ratio, c.qkv_bias, c.proj_bias);
  if (c.qk_norm) block += 4 * (d / c.num_heads);
  if (c.init_values.value_or(0) > 0) block += 2 * d;
  total += c.depth * block + (c.pre_norm ? 2 * d : 0) + (c.final_norm ? 2 * d : 0);
  return total + (c.num_classes > 0 ? linear_count(d, c.num_classes) : 0);
}

}  // namespace vitrail::models
