#include "nn/attention_pool.h"

#include "autograd/ops/layers.h"
#include "autograd/ops/math.h"
#include "autograd/ops/shape.h"
#include "nn/attention.h"
#include "nn/init.h"

namespace vitrail::nn {

AttentionPool::AttentionPool(int64_t dim, int64_t heads, int64_t hidden, Rng& rng, ActivationKind activation, double norm_eps)
    : num_heads(heads),
      latent(trunc_normal({1, 1, dim}, 0.02, rng), true),
      q(dim, dim, rng),
      kv(dim, 2 * dim, rng),
      proj(dim, dim, rng),
      norm(dim, norm_eps),
      mlp(dim, hidden, rng, activation) {
  check(heads >= 1 && dim % heads == 0, ErrorKind::kValue, "AttentionPool", "num_heads must divide dim: dim is ", dim,
        ", num_heads is ", heads);
  register_parameter("latent", latent);
  register_module("q", q);
  register_module("kv", kv);
  register_module("proj", proj);
  register_module("norm", norm);
  register_module("mlp", mlp);
}

Variable AttentionPool::forward(const Variable& x) {
  check(x.dim() == 3, ErrorKind::kShape, "AttentionPool", "x is [B, N, D]: x is ", x.shape());
  const std::vector<Variable> keys_values = chunk(kv(x), 2, 2);
  const Variable query = expand(q(latent), {x.size(0), 1, latent.size(2)});
  const Variable heads = attention(split_heads(query, num_heads), split_heads(keys_values[0], num_heads),
                                   split_heads(keys_values[1], num_heads), {}, 0, nullptr);
  const Variable y = proj(merge_heads(heads));
  return squeeze(y + mlp(norm(y)), 1);
}

}  // namespace vitrail::nn
