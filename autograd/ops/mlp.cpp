#include "autograd/ops.h"
#include "autograd/ops/linear_backward.h"

namespace vitrail {

// y = residual + h W2^T + b2 with h = gelu(x W1^T + b1). One op, so that dh = (dy W2) gelu' is one pass over the widest array.
Variable mlp(const Variable& x, const Variable& weight1, const Variable& bias1, const Variable& weight2, const Variable& bias2,
             const Variable& residual) {
  const Precision precision = product_precision();
  const auto value = [](const Variable& v) { return v.defined() ? v.value() : Tensor(); };
  const bool inner = x.requires_grad() || weight1.requires_grad() || bias1.requires_grad();
  Tensor slope;
  const Tensor h = linear_gelu(x.value(), weight1.value(), value(bias1), grad_enabled() && inner ? &slope : nullptr,
                               {.precision = precision});
  return record("mlp", linear_add(h, weight2.value(), value(bias2), residual.value(), {.precision = precision}),
                {x, weight1, bias1, weight2, bias2, residual},
                [xv = Saved(weight1.requires_grad() ? x : Variable()), w1 = Saved(x.requires_grad() ? weight1 : Variable()),
                 hv = Saved(weight2.requires_grad() ? h : Tensor()), w2 = Saved(inner ? weight2 : Variable()),
                 sv = Saved(slope), precision](const Tensor& dy, Grads& d) {
                  if (d.needs(5)) d[5] = dy;
                  linear_backward_parameters(dy, hv, 3, precision, d);
                  if (!d.needs(0) && !d.needs(1) && !d.needs(2)) return;
                  linear_backward(linear_backward_input(dy, *w2, precision, &*sv), xv, w1, precision, d);
                });
}

}  // namespace vitrail
