#include "autograd/ops.h"
#include "autograd/ops/linear_backward.h"

namespace vitrail {

// y = gelu(h), h = x W^T + b; dh = dy gelu'(h), and gelu'(h) was written beside y, from the same exponential
Variable linear_gelu(const Variable& x, const Variable& weight, const Variable& bias) {
  const Precision precision = product_precision();
  const Tensor operand = linear_operand(x, weight, precision, grad_enabled() && weight.requires_grad());
  const bool recorded = grad_enabled() && (x.requires_grad() || weight.requires_grad() || bias.requires_grad());
  Tensor slope;
  Tensor y = linear_gelu(operand, weight.value(), bias.defined() ? bias.value() : Tensor(),
                         {.slope = recorded ? &slope : nullptr}, {.precision = precision});
  return record(
      "linear_gelu", std::move(y), {x, weight, bias},
      [xv = Saved(weight.requires_grad() ? operand : Tensor()), wv = Saved(x.requires_grad() ? weight : Variable()),
       sv = Saved(slope), precision](const Tensor& dy, Grads& d) { linear_backward(mul(dy, *sv), xv, wv, precision, d); });
}

}  // namespace vitrail
