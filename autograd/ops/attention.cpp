// Attention: O = softmax(scale Q K^T + mask) V; with dP = dO V^T and dS = P (dP - rowsum(dP P)):
// dQ = scale dS K, dK = scale dS^T Q, dV = P^T dO. The kernels are in tensor/ops/attention.h.
#include "tensor/ops/attention.h"

#include "autograd/ops/attention_keep.h"
#include "autograd/ops/layers.h"
#include "tensor/ops.h"
#include "tensor/ops/rounding.h"
#include "tensor/view.h"

namespace vitrail {
namespace {

// One of q, k, v inside the fused buffer: [B, N, 3 H K] -> [B, H, N, K], a view.
Tensor part(const Tensor& qkv, int64_t heads, int which) {
  const Tensor split = reshape(qkv, {qkv.size(0), qkv.size(1), 3, heads, qkv.size(2) / (3 * heads)});
  return transpose(select(split, 2, which), 1, 2);
}

}  // namespace

// O = softmax(scale Q K^T + mask) V
Variable attention(const Variable& q, const Variable& k, const Variable& v, const Variable& mask, double scale,
                   Tensor* probabilities) {
  const Tensor m = mask.defined() ? mask.value() : Tensor();
  const int64_t scores = q.dim() == 4 && k.dim() == 4 ? q.numel() / std::max<int64_t>(1, q.size(3)) * k.size(2) : 0;
  const AttentionKeep keep = attention_keep({q, k, v, mask}, scores, probabilities != nullptr);
  const Precision precision = product_precision();
  const AttentionResult result = attention_forward(q.value(), k.value(), v.value(), m, scale, keep, precision);
  if (probabilities) *probabilities = result.probabilities;
  return record("attention", result.output, {q, k, v, mask},
                [qv = Saved(q), kv = Saved(k), vv = Saved(v), mv = Saved(m), kept = SavedAttention(result), scale, precision](
                    const Tensor& dy, Grads& d) {
                  const AttentionGradients g =
                      attention_backward(dy, *qv, *kv, *vv, *mv, kept.result(), scale, /*with_scores=*/d.needs(3), precision);
                  if (d.needs(0)) d[0] = g.dq;
                  if (d.needs(1)) d[1] = g.dk;
                  if (d.needs(2)) d[2] = g.dv;
                  if (d.needs(3)) d[3] = sum_to(g.dscores, mv->shape());
                });
}

// The same for one buffer that holds q, k and v side by side; their gradients are written into one buffer
Variable qkv_attention(const Variable& qkv, int64_t heads, const Variable& mask, double scale, Tensor* probabilities) {
  check(qkv.dim() == 3 && heads >= 1 && qkv.size(2) % 3 == 0 && qkv.size(2) / 3 % heads == 0, ErrorKind::kShape,
        "qkv_attention", "qkv is [B, N, 3 * heads * K]: qkv is ", qkv.shape(), ", heads is ", heads);
  const Tensor x = contiguous(qkv.value()), m = mask.defined() ? mask.value() : Tensor();
  const int64_t scores = checked_numel({x.size(0), heads, x.size(1), x.size(1)}, "qkv_attention");
  const AttentionKeep keep = attention_keep({qkv, mask}, scores, probabilities != nullptr);
  const Precision precision = product_precision();
  const AttentionResult result =
      attention_forward(part(x, heads, 0), part(x, heads, 1), part(x, heads, 2), m, scale, keep, precision);
  if (probabilities) *probabilities = result.probabilities;
  // The output is a [B, H, N, K] view of a [B, N, H, K] block: merging the heads is a reshape.
  return record(
      "qkv_attention", flatten(transpose(result.output, 1, 2), 2), {qkv, mask},
      [xv = Saved(x), mv = Saved(m), kept = SavedAttention(result), heads, scale, precision](const Tensor& dy, Grads& d) {
        const int64_t batch = dy.size(0), tokens = dy.size(1);
        const Tensor wide = dy.dtype() == Dtype::bf16 ? widen_bf16(dy) : dy;
        const Tensor go = transpose(reshape(wide, {batch, tokens, heads, dy.size(2) / heads}), 1, 2);
        const Tensor dx = empty_like(*xv);
        AttentionGradients g{part(dx, heads, 0), part(dx, heads, 1), part(dx, heads, 2), {}};
        if (d.needs(1)) g.dscores = empty({batch, heads, tokens, tokens}, wide.dtype());
        attention_backward_into(go, part(*xv, heads, 0), part(*xv, heads, 1), part(*xv, heads, 2), *mv, kept.result(), scale, g,
                                precision);
        if (d.needs(0)) d[0] = dx;
        if (d.needs(1)) d[1] = sum_to(g.dscores, mv->shape());
      });
}

}  // namespace vitrail
