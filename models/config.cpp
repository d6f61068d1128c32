#include "models/config.h"

#include <algorithm>
#include <cmath>
#include <initializer_list>

#include "base/error.h"
#include "models/cct.h"
#include "nn/activation.h"

namespace vitrail::models {
namespace {

constexpr int64_t kMaxSide = 16384, kMaxChannels = 4096, kMaxWidth = 65536, kMaxDepth = 1024;
constexpr int64_t kMaxTokens = int64_t{1} << 20, kMaxClasses = int64_t{1} << 20;

template <class... Parts>
void require(bool rule, const Parts&... parts) {
  check(rule, ErrorKind::kValue, "config", parts...);
}

void in_range(const char* key, int64_t value, int64_t low, int64_t high) {
  require(value >= low && value <= high, key, " must be from ", low, " to ", high, ": it is ", value);
}
void in_range(const char* key, double value, double low, double high) {  // NaN fails too
  require(value >= low && value <= high, key, " must be from ", low, " to ", high, ": it is ", value);
}
void is_rate(const char* key, double value) {
  require(value >= 0 && value < 1, key, " must be at least 0 and below 1: it is ", value);
}
void one_of(const char* key, const std::string& value, std::initializer_list<const char*> choices) {
  std::string list;
  for (const char* choice : choices) {
    if (value == choice) return;
    if (*choice != '\0') list += list.empty() ? choice : cat(", ", choice);
  }
  require(false, key, " must be one of ", list, ": it is ", value.substr(0, 60));
}

void check_image(Size2d size, int64_t in_chans, int64_t num_classes, int64_t fewest_classes) {
  in_range("img_size", size.h, 1, kMaxSide);
  in_range("img_size", size.w, 1, kMaxSide);
  in_range("in_chans", in_chans, 1, kMaxChannels);
  in_range("num_classes", num_classes, fewest_classes, kMaxClasses);
}

void check_encoder(int64_t embed_dim, int64_t depth, int64_t num_heads, double mlp_ratio, double norm_eps) {
  in_range("embed_dim", embed_dim, 1, kMaxWidth);
  in_range("depth", depth, 0, kMaxDepth);
  in_range("num_heads", num_heads, 1, kMaxWidth);
  require(embed_dim % num_heads == 0, "embed_dim must be a multiple of num_heads: embed_dim is ", embed_dim, ", num_heads is ",
          num_heads, " (remainder ", embed_dim % num_heads, ")");
  in_range("mlp_ratio", mlp_ratio, 0, 64);
  require(static_cast<double>(embed_dim) * mlp_ratio >= 1, "mlp_ratio leaves no hidden unit: embed_dim is ", embed_dim,
          ", mlp_ratio is ", mlp_ratio);
  require(norm_eps > 0 && norm_eps <= 1, "norm_eps must be above 0 and at most 1: it is ", norm_eps);
}

void check_patches(const ViTConfig& c) {
  in_range("patch_size", c.patch_size.h, 1, kMaxSide);
  in_range("patch_size", c.patch_size.w, 1, kMaxSide);
  require(c.img_size.h % c.patch_size.h == 0 && c.img_size.w % c.patch_size.w == 0,
          "img_size must be a multiple of patch_size: img_size is ", c.img_size.h, " x ", c.img_size.w, ", patch_size is ",
          c.patch_size.h, " x ", c.patch_size.w, ". Hint: choose another patch_size, or resize or pad the images.");
  in_range("number of patches", (c.img_size.h / c.patch_size.h) * (c.img_size.w / c.patch_size.w), 1, kMaxTokens);
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
  one_of("weight_init", c.weight_init, {"timm", "", "jax", "jax_nlhb", "moco", "skip"});
  if (c.init_values) in_range("init_values", *c.init_values, 0, 100);
  is_rate("drop_rate", c.drop_rate), is_rate("pos_drop_rate", c.pos_drop_rate), is_rate("patch_drop_rate", c.patch_drop_rate);
  is_rate("proj_drop_rate", c.proj_drop_rate), is_rate("attn_drop_rate", c.attn_drop_rate);
  is_rate("drop_path_rate", c.drop_path_rate);
}

void check_fields(const CctConfig& c) {
  check_image(c.img_size, c.in_chans, c.num_classes, 1);
  check_encoder(c.embed_dim, c.depth, c.num_heads, c.mlp_ratio, c.norm_eps);
  in_range("conv_layers", c.conv_layers, 1, 16);
  in_range("conv_kernel", c.conv_kernel, 1, 63);
  require(c.conv_kernel % 2 == 1, "conv_kernel must be odd: it is ", c.conv_kernel);
  in_range("conv_width", c.conv_width, 1, kMaxWidth);
  one_of("pos_embed", c.pos_embed, {"learn", "none"});
  const Size2d grid = cct_grid(c);
  in_range("number of tokens", grid.h * grid.w, 1, kMaxTokens);
  is_rate("drop_rate", c.drop_rate), is_rate("attn_drop_rate", c.attn_drop_rate), is_rate("drop_path_rate", c.drop_path_rate);
}

void check_fields(const CnnConfig& c) {
  check_image(c.img_size, c.in_chans, c.num_classes, 1);
  in_range("number of widths", static_cast<int64_t>(c.widths.size()), 1, 16);
  for (const int64_t width : c.widths) in_range("widths", width, 1, kMaxWidth);
  in_range("convs_per_stage", c.convs_per_stage, 1, 64);
  const int64_t smallest = int64_t{1} << c.widths.size();
  require(std::min(c.img_size.h, c.img_size.w) >= smallest, "img_size is too small for ", c.widths.size(),
          " stages that halve it: it is ", c.img_size.h, " x ", c.img_size.w, ", at least ", smallest, " is needed");
  is_rate("drop_rate", c.drop_rate);
}

void check_fields(const ResNetConfig& c) {
  check_image(c.img_size, c.in_chans, c.num_classes, 1);
  in_range("number of widths", static_cast<int64_t>(c.widths.size()), 1, 16);
  for (const int64_t width : c.widths) in_range("widths", width, 1, kMaxWidth);
  in_range("blocks_per_stage", c.blocks_per_stage, 1, 64);
}

void check_fields(const MlpConfig& c) {
  check_image(c.img_size, c.in_chans, c.num_classes, 1);
  in_range("number of hidden layers", static_cast<int64_t>(c.hidden.size()), 0, kMaxDepth);
  for (const int64_t width : c.hidden) in_range("hidden", width, 1, kMaxWidth);
  one_of("act_layer", c.act_layer, {"relu", "gelu", "gelu_tanh", "quick_gelu", "silu", "tanh", "sigmoid"});
  is_rate("drop_rate", c.drop_rate);
}

}  // namespace

void validate(const ModelConfig& config, int64_t max_bytes) {
  std::visit([](const auto& fields) { check_fields(fields); }, config);
  // Within the bounds above the formula stays below 2^62, so the product with 4 bytes is taken on the other side.
  const int64_t count = parameter_count(config);
  check(count <= max_bytes / 4, ErrorKind::kValue, "config", "the weights would take more than the limit: ", count,
        " parameters of 4 bytes, limit is ", max_bytes, " bytes. Hint: lower embed_dim, depth, img_size or num_classes.");
}

}  // namespace vitrail::models
