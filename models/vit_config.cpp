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

int64_t mlp_width(const ViTConfig& c) { return c.mlp_hidden > 0 ? c.mlp_hidden : hidden_width(c.embed_dim, c.mlp_ratio); }
int64_t attention_width(const ViTConfig& c) { return c.head_dim > 0 ? c.num_heads * c.head_dim : c.embed_dim; }
int64_t prefix_tokens(const ViTConfig& c) { return (c.class_token ? 1 : 0) + (c.dist_token ? 1 : 0) + c.reg_tokens; }
int64_t pooled_width(const ViTConfig& c) { return c.global_pool == "token_avg" ? 2 * c.embed_dim : c.embed_dim; }
bool has_patch_bias(const ViTConfig& c) { return c.patch_bias.value_or(!c.pre_norm); }

void visit_fields(ViTConfig& c, FieldVisitor& v) {
  v("img_size", c.img_size), v("patch_size", c.patch_size), v("in_chans", c.in_chans), v("num_classes", c.num_classes);
  v("global_pool", c.global_pool), v("embed_dim", c.embed_dim), v("depth", c.depth), v("num_heads", c.num_heads);
  v("head_dim", c.head_dim), v("mlp_hidden", c.mlp_hidden), v("patch_bias", c.patch_bias), v("patch_norms", c.patch_norms);
  v("dist_token", c.dist_token), v("dist_head", c.dist_head), v("projection", c.projection);
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
  in_range("mlp_hidden", c.mlp_hidden, 0, 64 * kMaxWidth);
  check_encoder(c.embed_dim, c.depth, c.num_heads, c.head_dim, mlp_width(c), c.norm_eps);
  in_range("reg_tokens", c.reg_tokens, 0, kMaxWidth);
  one_of("global_pool", c.global_pool, {"token", "avg", "max", "avgmax", "map", "token_avg"});
  require(c.class_token || !c.global_pool.starts_with("token"), "global_pool ", c.global_pool,
          " needs a class token: class_token is false. Hint: set global_pool to avg.");
  require(c.class_token || !c.dist_token, "a distillation token stands behind the class token: class_token is false");
  require(c.dist_token || !c.dist_head, "dist_head needs the distillation token: dist_token is false");
  require(!c.dist_head || c.global_pool == "token", "dist_head needs global_pool token: it is ", c.global_pool);
  require(!c.final_norm || !c.fc_norm.value_or(false) || c.global_pool != "map", "fc_norm does not go with global_pool map");
  in_range("projection", c.projection, 0, kMaxWidth);
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
  // LAB 7.1 BEGIN  The elements of all parameters: patch_embed, tokens, positions, blocks, norms, pooling, heads.
  const int64_t d = c.embed_dim;
  const int64_t prefix = prefix_tokens(c), hidden = mlp_width(c), width = pooled_width(c);
  const int64_t patches = (c.img_size.h / c.patch_size.h) * (c.img_size.w / c.patch_size.w);
  int64_t total = linear_count(c.in_chans * c.patch_size.h * c.patch_size.w, d, has_patch_bias(c)) + prefix * d;
  if (c.patch_norms) total += 2 * c.in_chans * c.patch_size.h * c.patch_size.w + 2 * d;
  if (c.pos_embed == "learn") total += (patches + (c.no_embed_class ? 0 : prefix)) * d;
  int64_t block = block_count(d, attention_width(c), hidden, c.qkv_bias, c.proj_bias);
  if (c.qk_norm) block += 4 * (attention_width(c) / c.num_heads);
  if (c.init_values.value_or(0) > 0) block += 2 * d;
  total += c.depth * block + (c.pre_norm ? 2 * d : 0) + c.projection * width;
  if (c.final_norm) total += 2 * (c.fc_norm.value_or(false) ? width : d);
  // latent, q, kv, proj, norm, mlp
  if (c.global_pool == "map")
    total += d + linear_count(d, d) + linear_count(d, 2 * d) + linear_count(d, d) + 2 * d + linear_count(d, hidden) +
             linear_count(hidden, d);
  if (c.num_classes == 0) return total;
  return total + linear_count(width, c.num_classes) + (c.dist_head ? linear_count(d, c.num_classes) : 0);
  // LAB 7.1 END
}

}  // namespace vitrail::models
