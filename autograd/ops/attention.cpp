#include "tensor/ops/attention.h"

#include "autograd/ops.h"

namespace vitrail {

// O = softmax(scale Q K^T + mask) V
Variable attention(const Variable& q, const Variable& k, const Variable& v, const Variable& mask, double scale,
                   Tensor* probabilities) {
  const Tensor m = mask.defined() ? mask.value() : Tensor();
  const AttentionResult result = attention_forward(q.value(), k.value(), v.value(), m, scale);
  if (probabilities) *probabilities = result.probabilities;
  return record("attention", result.output, {q, k, v, mask},
                [qv = Saved(q), kv = Saved(k), vv = Saved(v), p = Saved(result.probabilities), scale,
                 mask_shape = m.defined() ? m.shape() : Shape{}](const Tensor& dy, Grads& d) {
                  const AttentionGradients g = attention_backward(dy, *qv, *kv, *vv, *p, scale, /*with_scores=*/d.needs(3));
                  if (d.needs(0)) d[0] = g.dq;
                  if (d.needs(1)) d[1] = g.dk;
                  if (d.needs(2)) d[2] = g.dv;
                  if (d.needs(3)) d[3] = sum_to(g.dscores, mask_shape);
                });
}

}  // namespace vitrail
