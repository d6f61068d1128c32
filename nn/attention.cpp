#include "nn/attention.h"

#include <cmath>

#include "autograd/ops/layers.h"
#include "autograd/ops/math.h"
#include "autograd/ops/shape.h"
#include "tensor/ops/attention.h"

namespace vitrail::nn {
namespace {

int64_t checked_width(int64_t dim, int64_t heads) {
  check(dim >= 1 && heads >= 1 && dim % heads == 0, ErrorKind::kValue, "MultiHeadAttention",
        "num_heads must divide dim: dim is ", dim, ", num_heads is ", heads);
  return dim;
}

// [B, H, N, K] -> [B, N, H K]; free, since attention lays its output out that way.
Variable merged(const Variable& heads) { return flatten(transpose(heads, 1, 2), 2); }

}  // namespace

MultiHeadAttention::MultiHeadAttention(int64_t dim, int64_t heads, Rng& rng, const AttentionOptions& options)
    : num_heads(heads),
      qkv(checked_width(dim, heads), 3 * dim, rng, options.qkv_bias),
      proj(dim, dim, rng, options.proj_bias),
      attn_drop(options.attn_drop),
      proj_drop(options.proj_drop) {
  register_module("qkv", qkv);
  if (options.qk_norm) {
    q_norm = std::make_unique<LayerNorm>(dim / heads, options.norm_eps);
    k_norm = std::make_unique<LayerNorm>(dim / heads, options.norm_eps);
    register_module("q_norm", *q_norm);
    register_module("k_norm", *k_norm);
  }
  register_module("attn_drop", attn_drop);
  register_module("proj", proj);
  register_module("proj_drop", proj_drop);
}

// [B, N, H K] -> [B, H, N, K], a view
Variable MultiHeadAttention::heads_of(const Variable& x) const {
  return transpose(reshape(x, {x.size(0), x.size(1), num_heads, x.size(2) / num_heads}), 1, 2);
}

Variable MultiHeadAttention::attend(Variable q, Variable k, const Variable& v, const Variable& mask) {
  if (q_norm) q = (*q_norm)(q), k = (*k_norm)(k);
  if (!attn_drop.active()) return attention(q, k, v, mask, 0, keep_attention_map ? &attention_map : nullptr);
  // Dropout stands between softmax and product: the steps one by one.
  Variable scores = matmul(q, transpose(k)) * (1 / std::sqrt(static_cast<double>(q.size(3))));
  if (mask.defined() && mask.dtype() == Dtype::u8) {
    scores = where(mask.value(), scores, full({}, -INFINITY, scores.dtype()));
  } else if (mask.defined()) {
    scores = scores + mask;
  }
  const Variable probabilities = softmax(scores);
  if (keep_attention_map) attention_map = probabilities.value();
  return matmul(attn_drop(probabilities), v);
}

// Whether q, k, v and the heads' results are kept rounded: where nobody but products reads them, and all of these round them.
// The projection's is the smallest.
bool MultiHeadAttention::mixes_rounded(const Variable& x) const {
  return !q_norm && !attn_drop.active() && !observed() && attention_takes_rounded(product_precision()) &&
         rounds_operands(x.value(), proj.weight.size(0), product_precision());
}

// The heads' results side by side, [B, N, D], before the projection.
Variable MultiHeadAttention::mixed(const Variable& x, const Variable& mask) {
  check(x.dim() == 3, ErrorKind::kShape, "MultiHeadAttention", "x is [B, N, D]: x is ", x.shape());
  const Variable fused = mixes_rounded(x) ? qkv.rounded(x) : qkv(x);
  if (!q_norm && !attn_drop.active()) {
    return qkv_attention(fused, num_heads, mask, 0, keep_attention_map ? &attention_map : nullptr);
  }
  const int64_t dim = x.size(2);
  const std::vector<Variable> parts = split(fused, {dim, dim, dim}, 2);
  return merged(attend(heads_of(parts[0]), heads_of(parts[1]), heads_of(parts[2]), mask));
}

Variable MultiHeadAttention::self(const Variable& x, const Variable& mask) { return proj_drop(proj(mixed(x, mask))); }

Variable MultiHeadAttention::add_to(const Variable& residual, const Variable& x) {
  if (proj_drop.active() || observed()) return residual + (*this)(x);
  return proj.add_to(residual, mixed(x, {}));
}

Variable MultiHeadAttention::cross(const Variable& x, const Variable& context, const Variable& mask) {
  const int64_t dim = proj.weight.size(0);
  const auto rows = [&](int64_t from, int64_t to, const Variable& input) {
    return linear(input, slice(qkv.weight, 0, from, to), qkv.bias.defined() ? slice(qkv.bias, 0, from, to) : Variable());
  };
  const Variable q = rows(0, dim, x), k = rows(dim, 2 * dim, context), v = rows(2 * dim, 3 * dim, context);
  return proj_drop(proj(merged(attend(heads_of(q), heads_of(k), heads_of(v), mask))));
}

// Q K^T and P V: B N N D each.
int64_t MultiHeadAttention::macs(const Shape& input, const Shape&) const { return 2 * checked_numel(input) * input[1]; }

Mlp::Mlp(int64_t dim, int64_t hidden, Rng& rng, ActivationKind activation, double drop, bool with_bias)
    : fc1(dim, hidden, rng, with_bias), act(activation), drop1(drop), fc2(hidden, dim, rng, with_bias), drop2(drop) {
  register_module("fc1", fc1);
  register_module("act", act);
  register_module("drop1", drop1);
  register_module("fc2", fc2);
  register_module("drop2", drop2);
}

Variable Mlp::hidden(const Variable& x) {
  if (plain() && !observed()) return fc1.gelu(x, /*before_linear=*/true);
  return drop1(act(fc1(x)));
}

Variable Mlp::add_to(const Variable& residual, const Variable& x) {
  if (drop2.active() || observed()) return residual + (*this)(x);
  if (plain() && grad_enabled()) return mlp(x, fc1.weight, fc1.bias, fc2.weight, fc2.bias, residual);
  return fc2.add_to(residual, hidden(x));
}

}  // namespace vitrail::nn
