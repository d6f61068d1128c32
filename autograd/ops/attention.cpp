#include "tensor/ops/attention.h"

#include "autograd/ops.h"
#include "autograd/ops/attention_keep.h"

namespace vitrail {

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

}  // namespace vitrail
