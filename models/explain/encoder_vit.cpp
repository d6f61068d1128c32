#include "models/explain/encoder_vit.h"

#include <cmath>

#include "autograd/ops/layers.h"
#include "models/vit.h"
#include "nn/attention_pool.h"
#include "tensor/ops.h"

namespace vitrail::models::explain {
namespace {

// Adds `part` in all to the shares of the tokens [first, last), alike.
void add_shares(const Tensor& shares, int64_t first, int64_t last, double part) {
  const Tensor place = slice(shares, 0, first, last);
  copy_(place, place + part / static_cast<double>(last - first));
}

// How much of each token [1, T, D] an attention pooling takes, the mean of its heads: [T]
Tensor attention_shares(nn::AttentionPool& pool, const Tensor& tokens) {
  const NoGradGuard no_grad;
  const int64_t count = tokens.size(1), dim = tokens.size(2), width = dim / pool.num_heads;
  const auto heads = [&](const Tensor& x) { return transpose(reshape(x, {x.size(1), pool.num_heads, width}), 0, 1); };
  const Tensor query = heads(pool.q(pool.latent).value());                           // [H, 1, K]
  const Tensor keys = heads(contiguous(slice(pool.kv(tokens).value(), 2, 0, dim)));  // [H, T, K]
  const Tensor scores = matmul(query, transpose(keys)) * (1 / std::sqrt(static_cast<double>(width)));
  return reshape(mean(softmax(scores), {0}), {count});
}

// How the pooling of a ViT and its heads weigh the tokens [1, T, D]: [T]
Tensor shares_of(ViT& model, const Tensor& tokens) {
  const ViTConfig& c = model.config();
  const int64_t prefix = model.num_prefix_tokens(), count = tokens.size(1);
  Tensor shares = zeros({count}, tokens.dtype());
  if (model.attn_pool) {
    const int64_t first = c.pool_include_prefix ? 0 : prefix;
    copy_(slice(shares, 0, first, count), attention_shares(*model.attn_pool, contiguous(slice(tokens, 1, first, count))));
    return shares;
  }
  const double of_head = model.head_dist ? 0.5 : 1;
  double of_token = 0;
  if (c.global_pool == "token") of_token = 1;
  if (c.global_pool == "token_avg") of_token = 0.5;
  if (model.head_dist) add_shares(shares, 1, 2, 0.5);
  if (of_token > 0) add_shares(shares, 0, 1, of_head * of_token);
  if (of_token < 1) add_shares(shares, c.pool_include_prefix ? 0 : prefix, count, of_head * (1 - of_token));
  return shares;
}

}  // namespace

Encoder vit_encoder(ViT& model, Size2d image) {
  const ViTConfig& c = model.config();
  Encoder e;
  e.grid = {image.h / c.patch_size.h, image.w / c.patch_size.w};
  if (c.class_token) e.prefix_names.emplace_back("class token");
  if (c.dist_token) e.prefix_names.emplace_back("distillation token");
  for (int64_t i = 1; i <= c.reg_tokens; ++i) e.prefix_names.push_back(cat("register ", i));
  const Tensor own = model.pos_embed.defined() ? model.pos_embed.value() : model.pos_embed_fixed;
  e.positions_grid = model.grid();
  // LAB 9.5 BEGIN  The positions of the patches alone, [N, D]: own [1, T, D] may begin with those of prefix tokens.
  if (own.defined())
    e.positions = select(slice(own, 1, own.size(1) - e.positions_grid.h * e.positions_grid.w, own.size(1)), 0, 0);
  // LAB 9.5 END
  const Tensor& weight = model.patch_embed.proj.weight.value();
  e.filters = reshape(contiguous(weight), {c.embed_dim, c.in_chans, c.patch_size.h, c.patch_size.w});
  for (const auto& block : model.blocks) e.blocks.push_back(block.get());
  e.run = [&model](const Variable& x) {
    const Variable tokens = model.forward_features(x);
    return Encoder::Output{model.forward_head(tokens), shares_of(model, tokens.value())};
  };
  return e;
}

}  // namespace vitrail::models::explain
