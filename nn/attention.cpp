#include "nn/attention.h"

#include <cmath>

#include "autograd/ops/layers.h"
#include "autograd/ops/math.h"
#include "autograd/ops/shape.h"
#include "tensor/ops/attention.h"
namespace vitrail::nn {
namespace {

int64_t head_width(int64_t dim, int64_t heads, int64_t head_dim) {
  check(dim >= 1 && heads >= 1 && head_dim >= 0, ErrorKind::kValue, "MultiHeadAttention", "sizes must be positive: dim is ",
        dim, ", num_heads is ", heads, ", head_dim is ", head_dim);
  check(head_dim > 0 || dim % heads == 0, ErrorKind::kValue, "MultiHeadAttention", "num_heads must divide dim: dim is ", dim,
        ", num_heads is ", heads, ". Hint: or give the width of a head, head_dim.");
  return head_dim > 0 ? head_dim : dim / heads;
}

// scores + mask; -infinity where a u8 mask is 0.
Variable masked(const Variable& scores, const Variable& mask) {
  if (!mask.defined()) return scores;
  // LAB 6.5 BEGIN  A float mask is added to the scores. A u8 mask keeps them where it is 1 and puts -INFINITY where it is 0.
  if (mask.dtype() != Dtype::u8) return scores + mask;
  return where(mask.value(), scores, full({}, -INFINITY, scores.dtype()));
  // LAB 6.5 END
}

}  // namespace

Variable split_heads(const Variable& x, int64_t heads) {
  check(x.dim() == 3 && heads >= 1 && x.size(2) % heads == 0, ErrorKind::kShape, "split_heads", "x is [B, N, H K]: x is ",
        x.shape(), ", heads is ", heads);
  // LAB 6.3 BEGIN  [B, N, H K] -> [B, H, N, K], a view.
  return transpose(reshape(x, {x.size(0), x.size(1), heads, x.size(2) / heads}), 1, 2);
  // LAB 6.3 END
}

Variable merge_heads(const Variable& x) {
  check(x.dim() == 4, ErrorKind::kShape, "merge_heads", "x is [B, H, N, K]: x is ", x.shape());
  // LAB 6.3 BEGIN  [B, H, N, K] -> [B, N, H K], the inverse.
  return flatten(transpose(x, 1, 2), 2);
  // LAB 6.3 END
}

MultiHeadAttention::MultiHeadAttention(int64_t dim, int64_t count, Rng& rng, const AttentionOptions& options)
    : num_heads(count),
      head_dim(head_width(dim, count, options.head_dim)),
      qkv(dim, checked_numel({3, count, head_dim}), rng, options.qkv_bias),
      proj(qkv.weight.size(0) / 3, dim, rng, options.proj_bias),
      attn_drop(options.attn_drop),
      proj_drop(options.proj_drop) {
  register_module("qkv", qkv);
  if (options.qk_norm) {
    q_norm = std::make_unique<LayerNorm>(head_dim, options.norm_eps);
    k_norm = std::make_unique<LayerNorm>(head_dim, options.norm_eps);
    register_module("q_norm", *q_norm);
    register_module("k_norm", *k_norm);
  }
  register_module("attn_drop", attn_drop);
  register_module("proj", proj);
  register_module("proj_drop", proj_drop);
}

// softmax(q k^T / sqrt(K) + mask) v of all heads: q [B, H, N, K], k and v [B, H, M, K] -> [B, N, H K]
Variable MultiHeadAttention::attend(Variable q, Variable k, const Variable& v, const Variable& mask) {
  if (q_norm) q = (*q_norm)(q), k = (*k_norm)(k);
  if (!attn_drop.active() && !keep_attention_gradient)  // the same in one op
    return merge_heads(attention(q, k, v, mask, 0, keep_attention_map ? &attention_map : nullptr));
  Variable probabilities;  // [B, H, N, M]
  // LAB 6.4 BEGIN  probabilities = softmax over the keys of q k^T / sqrt(head_dim) + mask; masked(scores, mask) adds the mask.
  const Variable scores = matmul(q, transpose(k)) * (1 / std::sqrt(static_cast<double>(head_dim)));
  probabilities = softmax(masked(scores, mask));
  // LAB 6.4 END
  if (keep_attention_map) attention_map = probabilities.value();
  if (keep_attention_gradient) {
    attention_offset = Variable(zeros_like(probabilities.value()), true);
    probabilities = probabilities + attention_offset;
  }
  // LAB 6.4 BEGIN  The probabilities pass attn_drop and weigh the values; the heads are merged: [B, N, H K].
  return merge_heads(matmul(attn_drop(probabilities), v));
  // LAB 6.4 END
}

Variable MultiHeadAttention::heads(const Variable& x, const Variable& mask) {
  check(x.dim() == 3, ErrorKind::kShape, "MultiHeadAttention", "x is [B, N, D]: x is ", x.shape());
  const Variable all = qkv(x);  // [B, N, 3 H K]: q | k | v
  // If nothing is applied to q, k or the probabilities, one op reads q, k and v from `all` and writes their gradients into one
  // buffer.
  if (!q_norm && !attn_drop.active() && !keep_attention_gradient)
    return qkv_attention(all, num_heads, mask, 0, keep_attention_map ? &attention_map : nullptr);
  // LAB 6.4 BEGIN  Cut `all` into q, k and v, each into heads, and attend().
  const std::vector<Variable> parts = chunk(all, 3, 2);
  return attend(split_heads(parts[0], num_heads), split_heads(parts[1], num_heads), split_heads(parts[2], num_heads), mask);
  // LAB 6.4 END
}

Variable MultiHeadAttention::self(const Variable& x, const Variable& mask) { return proj_drop(proj(heads(x, mask))); }

Variable MultiHeadAttention::cross(const Variable& x, const Variable& context, const Variable& mask) {
  const int64_t width = num_heads * head_dim;
  // LAB 6.5 BEGIN  q from x, k and v from context (qkv.outputs: a third of the projection each), then as in self-attention.
  const Variable q = qkv.outputs(x, 0, width), k = qkv.outputs(context, width, 2 * width),
                 v = qkv.outputs(context, 2 * width, 3 * width);
  return proj_drop(proj(attend(split_heads(q, num_heads), split_heads(k, num_heads), split_heads(v, num_heads), mask)));
  // LAB 6.5 END
}

// q k^T and the product with v: B N N H K each.
int64_t MultiHeadAttention::macs(const Shape& input, const Shape&) const {
  // LAB 10.2 BEGIN  Two products, each with a term for every picture, head, pair of tokens and column.
  return checked_numel({2, input[0], input[1], input[1], num_heads, head_dim});
  // LAB 10.2 END
}

}  // namespace vitrail::nn
