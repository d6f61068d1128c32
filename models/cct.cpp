#include "models/cct.h"

#include "autograd/ops/layers.h"
#include "autograd/ops/math.h"
#include "autograd/ops/shape.h"
#include "nn/conv.h"
#include "nn/init.h"

namespace vitrail::models {
namespace {

const CctConfig& validated(const CctConfig& config) {
  validate(ModelConfig(config));
  return config;
}

nn::BlockOptions block_options(const CctConfig& c, int64_t i) {
  nn::BlockOptions o;
  o.mlp_ratio = c.mlp_ratio;
  o.attention = {.qkv_bias = c.qkv_bias, .attn_drop = c.attn_drop_rate, .proj_drop = c.drop_rate};
  o.proj_drop = c.drop_rate;
  o.drop_path = c.depth > 1 ? c.drop_path_rate * static_cast<double>(i) / static_cast<double>(c.depth - 1) : 0;
  o.norm_eps = c.norm_eps;
  return o;
}

}  // namespace

Size2d cct_grid(const CctConfig& config) {
  Size2d size = config.img_size;
  for (int64_t i = 0; i < config.conv_layers; ++i) size = {(size.h - 1) / 2 + 1, (size.w - 1) / 2 + 1};
  return size;
}

Cct::Cct(const CctConfig& config, Rng& rng)
    : config_(validated(config)),
      pos_drop(config.drop_rate),
      norm(config.embed_dim, config.norm_eps),
      attention_pool(config.embed_dim, 1, rng),
      head(config.embed_dim, config.num_classes, rng) {
  int64_t channels = config_.in_chans;
  const int64_t padding = config_.conv_kernel / 2;
  for (int64_t i = 0; i < config_.conv_layers; ++i) {
    const int64_t width = i + 1 == config_.conv_layers ? config_.embed_dim : config_.conv_width;
    auto& conv = tokenizer.add<nn::Conv2d>(channels, width, config_.conv_kernel, config_.conv_kernel, rng,
                                           Conv2dOptions{.padding_h = padding, .padding_w = padding}, false);
    conv.weight.set_value(nn::kaiming_normal(conv.weight.shape(), rng));
    tokenizer.add<nn::Activation>(nn::ActivationKind::kRelu);
    tokenizer.add<nn::MaxPool2d>(Pool2dOptions{.kernel_h = 3, .kernel_w = 3, .padding_h = 1, .padding_w = 1});
    channels = width;
  }
  register_module("tokenizer", tokenizer);
  if (config_.pos_embed == "learn") {
    const Size2d grid = cct_grid(config_);
    pos_embed = Variable(nn::trunc_normal({1, grid.h * grid.w, config_.embed_dim}, 0.2, rng), true);  // the authors' 0.2
    register_parameter("pos_embed", pos_embed);
  }
  for (int64_t i = 0; i < config_.depth; ++i) {
    blocks.add(config_.embed_dim, config_.num_heads, rng, block_options(config_, i));
  }
  register_module("pos_drop", pos_drop);
  register_module("blocks", blocks);
  register_module("norm", norm);
  register_module("attention_pool", attention_pool);
  register_module("head", head);
}

Variable Cct::forward_features(const Variable& images) {
  check_images("Cct", images);
  Variable x = transpose(flatten(tokenizer(images), 2), 1, 2);  // [B, D, H', W'] -> [B, N, D]
  if (pos_embed.defined()) x = x + pos_embed;
  x = pos_drop(x);
  for (const auto& block : blocks) x = (*block)(x);
  return norm(x);
}

Variable Cct::pool(const Variable& tokens) {
  const Variable share = softmax(attention_pool(tokens), 1);  // [B, N, 1]
  return squeeze(matmul(transpose(share, 1, 2), tokens), 1);  // [B, 1, N] x [B, N, D] -> [B, D]
}

Variable Cct::forward(const Variable& images) { return head(pool(forward_features(images))); }

std::vector<std::string> Cct::no_weight_decay() const {
  if (pos_embed.defined()) return {"pos_embed"};
  return {};
}

}  // namespace vitrail::models
