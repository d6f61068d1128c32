#include "autograd/ops.h"
#include "autograd/ops/linear_backward.h"

namespace vitrail {

// y = x W^T + b, [..., K] -> [..., N]
Variable linear(const Variable& x, const Variable& weight, const Variable& bias, bool rounded) {
  const Precision precision = product_precision();
  const Tensor operand = linear_operand(x, weight, precision, grad_enabled() && weight.requires_grad());
  check(!rounded || rounds_operands(operand, weight.size(0), precision), ErrorKind::kValue, "linear",
        "a rounded output needs a product that rounds: precision is ", precision_name(precision), ", x is ", x.shape(),
        ", weight is ", weight.shape(), ". Hint: ask rounds_operands() first.");
  const Tensor w = weight.value(), b = bias.defined() ? bias.value() : Tensor();
  return record("linear", rounded ? linear_rounded(operand, w, b) : linear(operand, w, b, {.precision = precision}),
                {x, weight, bias},
                [xv = Saved(weight.requires_grad() ? operand : Tensor()), wv = Saved(x.requires_grad() ? weight : Variable()),
                 precision](const Tensor& dy, Grads& d) { linear_backward(dy, xv, wv, precision, d); });
}

}  // namespace vitrail
