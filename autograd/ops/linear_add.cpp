#include "autograd/ops.h"
#include "autograd/ops/linear_backward.h"

namespace vitrail {

// y = residual + x W^T + b: the addition costs no pass of its own
Variable linear_add(const Variable& x, const Variable& weight, const Variable& bias, const Variable& residual) {
  const Precision precision = product_precision();
  const Tensor operand = linear_operand(x, weight, precision, grad_enabled() && weight.requires_grad());
  return record(
      "linear_add",
      linear_add(operand, weight.value(), bias.defined() ? bias.value() : Tensor(), residual.value(), {.precision = precision}),
      {x, weight, bias, residual},
      [xv = Saved(weight.requires_grad() ? operand : Tensor()), wv = Saved(x.requires_grad() ? weight : Variable()), precision](
          const Tensor& dy, Grads& d) {
        linear_backward(dy, xv, wv, precision, d);
        if (d.needs(3)) d[3] = dy;
      });
}

}  // namespace vitrail
