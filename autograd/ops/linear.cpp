#include "autograd/ops.h"
#include "autograd/ops/linear_backward.h"

namespace vitrail {

// y = x W^T + b, [..., K] -> [..., N]
Variable linear(const Variable& x, const Variable& weight, const Variable& bias) {
  const Precision precision = product_precision();
  const Tensor operand = linear_operand(x, weight, precision, grad_enabled() && weight.requires_grad());
  return record("linear", linear(operand, weight.value(), bias.defined() ? bias.value() : Tensor(), {.precision = precision}),
                {x, weight, bias},
                [xv = Saved(weight.requires_grad() ? operand : Tensor()), wv = Saved(x.requires_grad() ? weight : Variable()),
                 precision](const Tensor& dy, Grads& d) { linear_backward(dy, xv, wv, precision, d); });
}

}  // namespace vitrail
