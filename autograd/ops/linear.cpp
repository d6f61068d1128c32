#include "autograd/ops.h"
#include "autograd/ops/linear_backward.h"

namespace vitrail {

// y = x W^T + b, [..., K] -> [..., N]; dx = dy W, dW = dy^T x, db = sum of dy
Variable linear(const Variable& x, const Variable& weight, const Variable& bias) {
  const Precision precision = product_precision();
  const Tensor operand = linear_operand(x, weight, precision, grad_enabled() && weight.requires_grad());
  const LinearOptions options{.precision = precision, .keep_packed = !grad_enabled()};
  return record("linear", linear(operand, weight.value(), value_or_none(bias), options), {x, weight, bias},
                [xv = Saved(weight.requires_grad() ? operand : Tensor()), wv = Saved(x.requires_grad() ? weight : Variable()),
                 precision](const Tensor& dy, Grads& d) { linear_backward(dy, xv, wv, precision, d); });
}

}  // namespace vitrail
