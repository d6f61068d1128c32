// Parameter counts by formula: what a configuration costs, known before anything is built.
#include "models/cct.h"
#include "models/config.h"

namespace vitrail::models {
namespace {

int64_t linear_count(int64_t in, int64_t out, bool bias = true) { return in * out + (bias ? out : 0); }

// norm1, attn (qkv, proj), norm2, mlp (fc1, fc2)
int64_t block_count(int64_t dim, int64_t hidden, bool qkv_bias, bool proj_bias) {
  return 4 * dim + linear_count(dim, 3 * dim, qkv_bias) + linear_count(dim, dim, proj_bias) + linear_count(dim, hidden) +
         linear_count(hidden, dim);
}

int64_t hidden_width(int64_t dim, double ratio) { return static_cast<int64_t>(static_cast<double>(dim) * ratio); }

int64_t count(const ViTConfig& c) {
  const int64_t d = c.embed_dim;
  const int64_t prefix = (c.class_token ? 1 : 0) + c.reg_tokens;
  const int64_t patches = (c.img_size.h / c.patch_size.h) * (c.img_size.w / c.patch_size.w);
  int64_t total = linear_count(c.in_chans * c.patch_size.h * c.patch_size.w, d, !c.pre_norm) + prefix * d;
  if (c.pos_embed == "learn") total += (patches + (c.no_embed_class ? 0 : prefix)) * d;
  int64_t block = block_count(d, hidden_width(d, c.mlp_ratio), c.qkv_bias, c.proj_bias);
  if (c.qk_norm) block += 4 * (d / c.num_heads);
  if (c.init_values.value_or(0) > 0) block += 2 * d;
  total += c.depth * block + (c.pre_norm ? 2 * d : 0) + (c.final_norm ? 2 * d : 0);
  return total + (c.num_classes > 0 ? linear_count(d, c.num_classes) : 0);
}

int64_t count(const CctConfig& c) {
  int64_t total = 0, channels = c.in_chans;
  for (int64_t i = 0; i < c.conv_layers; ++i) {
    const int64_t width = i + 1 == c.conv_layers ? c.embed_dim : c.conv_width;
    total += linear_count(channels * c.conv_kernel * c.conv_kernel, width, false);
    channels = width;
  }
  const Size2d grid = cct_grid(c);
  if (c.pos_embed == "learn") total += grid.h * grid.w * c.embed_dim;
  total += c.depth * block_count(c.embed_dim, hidden_width(c.embed_dim, c.mlp_ratio), c.qkv_bias, true) + 2 * c.embed_dim;
  return total + linear_count(c.embed_dim, 1) + linear_count(c.embed_dim, c.num_classes);
}

int64_t count(const CnnConfig& c) {
  int64_t total = 0, channels = c.in_chans;
  for (const int64_t width : c.widths) {
    for (int64_t i = 0; i < c.convs_per_stage; ++i) {
      total += linear_count(9 * channels, width, false) + 2 * width;
      channels = width;
    }
  }
  return total + linear_count(channels, c.num_classes);
}

int64_t count(const ResNetConfig& c) {
  const auto conv_norm = [](int64_t in, int64_t out, int64_t taps) { return linear_count(taps * in, out, false) + 2 * out; };
  int64_t channels = c.widths.front();
  int64_t total = conv_norm(c.in_chans, channels, 9);
  for (size_t i = 0; i < c.widths.size(); ++i) {
    const int64_t width = c.widths[i];
    if (i > 0) total += conv_norm(channels, width, 1);
    total += conv_norm(channels, width, 9) + (2 * c.blocks_per_stage - 1) * conv_norm(width, width, 9);
    channels = width;
  }
  return total + linear_count(channels, c.num_classes);
}

int64_t count(const MlpConfig& c) {
  int64_t total = 0, features = c.in_chans * c.img_size.h * c.img_size.w;
  for (const int64_t width : c.hidden) {
    total += linear_count(features, width);
    features = width;
  }
  return total + linear_count(features, c.num_classes);
}

}  // namespace

int64_t parameter_count(const ModelConfig& config) {
  return std::visit([](const auto& fields) { return count(fields); }, config);
}

}  // namespace vitrail::models
