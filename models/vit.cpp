#include "models/vit.h"

#include "autograd/ops/layers.h"
#include "autograd/ops/math.h"
#include "autograd/ops/shape.h"
#include "nn/init.h"
#include "tensor/view.h"

namespace vitrail::models {
namespace {

nn::BlockOptions block_options(const ViTConfig& c, int64_t i) {
  nn::BlockOptions o;
  o.mlp_hidden = mlp_width(c);
  o.attention = {.head_dim = c.head_dim,
                 .qkv_bias = c.qkv_bias,
                 .proj_bias = c.proj_bias,
                 .qk_norm = c.qk_norm,
                 .attn_drop = c.attn_drop_rate,
                 .proj_drop = c.proj_drop_rate,
                 .norm_eps = c.norm_eps};
  o.mlp_bias = c.proj_bias;
  o.proj_drop = c.proj_drop_rate;
  o.drop_path = drop_path_of_block(c.drop_path_rate, i, c.depth);
  o.init_values = c.init_values.value_or(0);
  o.activation = nn::activation_from_name(c.act_layer);
  o.norm_eps = c.norm_eps;
  o.post_norm = c.post_norm;
  return o;
}

}  // namespace

ViT::ViT(const ViTConfig& config, Rng& rng)
    : ConfiguredClassifier(config),
      patch_embed(config.patch_size.h, config.patch_size.w, config.in_chans, config.embed_dim, rng, has_patch_bias(config)),
      pos_drop(config.pos_drop_rate),
      head_drop(config.drop_rate) {
  make_tokens(rng);
  if (config.patch_norms) patch_embed.add_norms(config.norm_eps);
  register_module("patch_embed", patch_embed);
  make_blocks(rng);
  make_head(rng);
  init_weights(rng);
}

void ViT::make_tokens(Rng& rng) {
  const int64_t d = config_.embed_dim, rows = grid().h * grid().w;
  const int64_t prefix = config_.no_embed_class ? 0 : num_prefix_tokens();
  if (config_.class_token) {
    cls_token = Variable(nn::normal({1, 1, d}, 1e-6, rng), true);
    register_parameter("cls_token", cls_token);
  }
  if (config_.dist_token) {
    dist_token = Variable(nn::trunc_normal({1, 1, d}, 0.02, rng), true);
    register_parameter("dist_token", dist_token);
  }
  if (config_.reg_tokens > 0) {
    reg_token = Variable(nn::normal({1, config_.reg_tokens, d}, 1e-6, rng), true);
    register_parameter("reg_token", reg_token);
  }
  if (config_.pos_embed == "learn") {
    pos_embed = Variable(nn::trunc_normal({1, prefix + rows, d}, 0.02, rng), true);
    register_parameter("pos_embed", pos_embed);
  } else if (config_.pos_embed == "sincos2d") {
    pos_embed_fixed = zeros({1, prefix + rows, d});  // prefix tokens have no position in the image
    copy_(slice(pos_embed_fixed, 1, prefix, prefix + rows), sincos2d(grid(), d));
    register_buffer("pos_embed", pos_embed_fixed);
  }
}

void ViT::make_blocks(Rng& rng) {
  register_module("pos_drop", pos_drop);
  if (config_.pre_norm) {
    norm_pre = std::make_unique<nn::LayerNorm>(config_.embed_dim, config_.norm_eps);
    register_module("norm_pre", *norm_pre);
  }
  register_module("blocks", blocks);
  for (int64_t i = 0; i < config_.depth; ++i) {
    blocks.add(config_.embed_dim, config_.num_heads, rng, block_options(config_, i));
  }
}

void ViT::make_head(Rng& rng) {
  if (config_.final_norm) {
    const std::string& pool = config_.global_pool;
    const bool behind_pool = config_.fc_norm.value_or(pool == "avg" || pool == "max" || pool == "avgmax");
    auto& place = behind_pool ? fc_norm : norm;
    place = std::make_unique<nn::LayerNorm>(behind_pool ? pooled_width(config_) : config_.embed_dim, config_.norm_eps);
    register_module(behind_pool ? "fc_norm" : "norm", *place);
  }
  if (config_.global_pool == "map") {
    attn_pool = std::make_unique<nn::AttentionPool>(config_.embed_dim, config_.num_heads, mlp_width(config_), rng,
                                                    nn::activation_from_name(config_.act_layer), config_.norm_eps);
    register_module("attn_pool", *attn_pool);
  }
  register_module("head_drop", head_drop);
  if (config_.num_classes > 0) {
    head = std::make_unique<nn::Linear>(pooled_width(config_), config_.num_classes, rng);
    register_module("head", *head);
  }
  if (config_.dist_head && config_.num_classes > 0) {
    head_dist = std::make_unique<nn::Linear>(config_.embed_dim, config_.num_classes, rng);
    register_module("head_dist", *head_dist);
  }
  if (config_.projection > 0) {
    projection = std::make_unique<nn::Linear>(pooled_width(config_), config_.projection, rng, false);
    register_module("projection", *projection);
  }
}

Size2d ViT::grid() const { return {config_.img_size.h / config_.patch_size.h, config_.img_size.w / config_.patch_size.w}; }

Variable ViT::embed(const Variable& images) {
  if (!config_.dynamic_img_size || images.dim() != 4 || images.size(1) != config_.in_chans) check_images("ViT", images);
  Variable x = patch_embed(images);
  const int64_t batch = x.size(0), d = config_.embed_dim;
  Variable positions;
  if (pos_embed.defined() || pos_embed_fixed.defined()) {
    positions = positions_for({images.size(2) / config_.patch_size.h, images.size(3) / config_.patch_size.w});
  }
  // LAB 7.4 BEGIN  The defined ones of cls, dist and reg in front. Positions: of all tokens; no_embed_class: of patches only.
  if (positions.defined() && config_.no_embed_class) x = x + positions;
  std::vector<Variable> parts;
  if (cls_token.defined()) parts.push_back(expand(cls_token, {batch, 1, d}));
  if (dist_token.defined()) parts.push_back(expand(dist_token, {batch, 1, d}));
  if (reg_token.defined()) parts.push_back(expand(reg_token, {batch, config_.reg_tokens, d}));
  if (!parts.empty()) {
    parts.push_back(x);
    x = concat(parts, 1);
  }
  if (positions.defined() && !config_.no_embed_class) x = x + positions;
  // LAB 7.4 END
  if (positions.defined()) x = pos_drop(x);
  x = drop_patches(x);
  return norm_pre ? (*norm_pre)(x) : x;
}

// Blocks [first, last), and the norm behind the last of all.
Variable ViT::run_blocks(Variable x, int64_t first, int64_t last) {
  // LAB 7.5 BEGIN  Blocks [first, last), each by nn::run_block(block, x, grad_checkpointing_); behind the last of all the norm.
  for (int64_t i = first; i < last; ++i) x = nn::run_block(blocks[static_cast<size_t>(i)], x, grad_checkpointing_);
  return norm && last == config_.depth ? (*norm)(x) : x;
  // LAB 7.5 END
}

Variable ViT::forward_features(const Variable& images) { return run_blocks(embed(images), 0, config_.depth); }

// [B, T, D] -> [B, D], for token_avg [B, 2 D]
Variable ViT::pool(const Variable& tokens) {
  // LAB 7.5 BEGIN  As config_.global_pool says (models/vit.h); of the patches alone, unless pool_include_prefix.
  if (config_.global_pool == "token") return select(tokens, 1, 0);
  const Variable rows = config_.pool_include_prefix ? tokens : slice(tokens, 1, num_prefix_tokens(), tokens.size(1));
  if (attn_pool) return (*attn_pool)(rows);
  if (config_.global_pool == "avg") return mean(rows, {1});
  if (config_.global_pool == "token_avg") return concat({select(tokens, 1, 0), mean(rows, {1})}, 1);
  if (config_.global_pool == "max") return max(rows, {1});
  return mul(add(max(rows, {1}), mean(rows, {1})), 0.5);
  // LAB 7.5 END
}

Variable ViT::forward_head(const Variable& tokens, bool pre_logits) {
  check(tokens.dim() == 3 && tokens.size(1) > num_prefix_tokens() && tokens.size(2) == config_.embed_dim, ErrorKind::kShape,
        "ViT", "tokens must be [B, T, ", config_.embed_dim, "] with T above the ", num_prefix_tokens(),
        " prefix tokens: tokens is ", tokens.shape());
  // LAB 7.5 BEGIN  pool(), fc_norm if defined, head_drop, and unless pre_logits the head (or the mean of both heads).
  Variable x = pool(tokens);
  if (fc_norm) x = (*fc_norm)(x);
  x = head_drop(x);
  if (!head || pre_logits) return x;
  if (!head_dist) return (*head)(x);
  return mul(add((*head)(x), (*head_dist)(select(tokens, 1, 1))), 0.5);  // Touvron et al., section 4
  // LAB 7.5 END
}

Variable ViT::forward(const Variable& images) { return forward_head(forward_features(images)); }

Variable ViT::pooled_features(const Variable& images) { return forward_head(forward_features(images), true); }

}  // namespace vitrail::models
