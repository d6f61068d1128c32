#include "models/cct.h"

#include "autograd/ops/layers.h"
#include "autograd/ops/math.h"
#include "autograd/ops/shape.h"
#include "nn/conv.h"
#include "nn/init.h"

namespace vitrail::models {
namespace {

nn::BlockOptions block_options(const CctConfig& c, int64_t i) {
  nn::BlockOptions o;
  o.mlp_ratio = c.mlp_ratio;
  o.attention = {.qkv_bias = c.qkv_bias, .attn_drop = c.attn_drop_rate, .proj_drop = c.drop_rate};
  o.proj_drop = c.drop_rate;
  o.drop_path = drop_path_of_block(c.drop_path_rate, i, c.depth);
  o.norm_eps = c.norm_eps;
  return o;
}

}  // namespace

Size2d cct_grid(const CctConfig& config) {
  // LAB 7.7 BEGIN  The size of the image behind all stages: each halves height and width, and rounds up.
  Size2d size = config.img_size;
  for (int64_t i = 0; i < config.conv_layers; ++i) size = {(size.h - 1) / 2 + 1, (size.w - 1) / 2 + 1};
  return size;
  // LAB 7.7 END
}

void visit_fields(CctConfig& c, FieldVisitor& v) {
  v("img_size", c.img_size), v("in_chans", c.in_chans), v("num_classes", c.num_classes), v("embed_dim", c.embed_dim);
  v("depth", c.depth), v("num_heads", c.num_heads), v("mlp_ratio", c.mlp_ratio), v("conv_layers", c.conv_layers);
  v("conv_kernel", c.conv_kernel), v("conv_width", c.conv_width), v("pos_embed", c.pos_embed), v("qkv_bias", c.qkv_bias);
  v("drop_rate", c.drop_rate), v("attn_drop_rate", c.attn_drop_rate), v("drop_path_rate", c.drop_path_rate);
  v("norm_eps", c.norm_eps);
}

void check_fields(const CctConfig& c) {
  check_image(c.img_size, c.in_chans, c.num_classes, 1);
  check_encoder(c.embed_dim, c.depth, c.num_heads, 0, hidden_width(c.embed_dim, c.mlp_ratio), c.norm_eps);
  in_range("conv_layers", c.conv_layers, 1, 16);
  in_range("conv_kernel", c.conv_kernel, 1, 63);
  require(c.conv_kernel % 2 == 1, "conv_kernel must be odd: it is ", c.conv_kernel);
  in_range("conv_width", c.conv_width, 1, kMaxWidth);
  one_of("pos_embed", c.pos_embed, {"learn", "none"});
  const Size2d grid = cct_grid(c);
  in_range("number of tokens", grid.h * grid.w, 1, kMaxTokens);
  is_rate("drop_rate", c.drop_rate), is_rate("attn_drop_rate", c.attn_drop_rate), is_rate("drop_path_rate", c.drop_path_rate);
}

int64_t count_parameters(const CctConfig& c) {
  int64_t total = 0, channels = c.in_chans;
  for (int64_t i = 0; i < c.conv_layers; ++i) {
    const int64_t width = i + 1 == c.conv_layers ? c.embed_dim : c.conv_width;
    total += linear_count(channels * c.conv_kernel * c.conv_kernel, width, false);
    channels = width;
  }
  const Size2d grid = cct_grid(c);
  if (c.pos_embed == "learn") total += grid.h * grid.w * c.embed_dim;
  total += c.depth * block_count(c.embed_dim, c.embed_dim, hidden_width(c.embed_dim, c.mlp_ratio), c.qkv_bias, true) +
           2 * c.embed_dim;
  return total + linear_count(c.embed_dim, 1) + linear_count(c.embed_dim, c.num_classes);
}

Cct::Cct(const CctConfig& config, Rng& rng)
    : ConfiguredClassifier(config),
      pos_drop(config.drop_rate),
      norm(config.embed_dim, config.norm_eps),
      attention_pool(config.embed_dim, 1, rng),
      head(config.embed_dim, config.num_classes, rng) {
  int64_t channels = config_.in_chans;
  const int64_t padding = config_.conv_kernel / 2;
  for (int64_t i = 0; i < config_.conv_layers; ++i) {
    const int64_t width = i + 1 == config_.conv_layers ? config_.embed_dim : config_.conv_width;
    // LAB 7.7 BEGIN  A stage: convolution (no bias, same size, kaiming_normal weights), ReLU, max pooling 3 x 3, stride 2.
    auto& conv = tokenizer.add<nn::Conv2d>(channels, width, config_.conv_kernel, config_.conv_kernel, rng,
                                           Conv2dOptions{.padding_h = padding, .padding_w = padding}, false);
    conv.weight.set_value(nn::kaiming_normal(conv.weight.shape(), rng));
    tokenizer.add<nn::Activation>(nn::ActivationKind::kRelu);
    tokenizer.add<nn::MaxPool2d>(Pool2dOptions{.kernel_h = 3, .kernel_w = 3, .padding_h = 1, .padding_w = 1});
    // LAB 7.7 END
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
  Variable x;
  // LAB 7.7 BEGIN  The tokenizer's output [B, D, H', W'] as tokens [B, N, D], row by row, plus positions if defined.
  x = transpose(flatten(tokenizer(images), 2), 1, 2);
  if (pos_embed.defined()) x = x + pos_embed;
  // LAB 7.7 END
  x = pos_drop(x);
  for (const auto& block : blocks) x = nn::run_block(*block, x, grad_checkpointing_);
  return norm(x);
}

Variable Cct::pool(const Variable& tokens) {
  // LAB 7.7 BEGIN  A score for each token, softmax over the tokens, the tokens' mean with these weights: [B, D].
  const Variable share = softmax(attention_pool(tokens), 1);  // [B, N, 1]
  return squeeze(matmul(transpose(share, 1, 2), tokens), 1);  // [B, 1, N] x [B, N, D] -> [B, D]
  // LAB 7.7 END
}

Variable Cct::pooled_features(const Variable& images) { return pool(forward_features(images)); }

Variable Cct::forward(const Variable& images) { return head(pooled_features(images)); }

std::vector<std::string> Cct::no_weight_decay() const {
  if (pos_embed.defined()) return {"pos_embed"};
  return {};
}

}  // namespace vitrail::models
