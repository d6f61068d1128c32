// Products: of matrices, and of activations with the weights of a linear layer.
#include "autograd/ops/fused.h"
#include "autograd/ops/layers.h"
#include "autograd/ops/linear_backward.h"
#include "autograd/ops/shape.h"
#include "tensor/ops.h"
#include "tensor/view.h"

namespace vitrail {

// y = a b, [..., M, K] x [..., K, N] -> [..., M, N]
Variable matmul(const Variable& a, const Variable& b) {
  if (a.dim() == 1 && b.dim() >= 1) return squeeze(matmul(unsqueeze(a, 0), b), b.dim() == 1 ? 0 : -2);
  if (b.dim() == 1 && a.dim() >= 1) return squeeze(matmul(a, unsqueeze(b, 1)), -1);
  // LAB 3.5 BEGIN  a is [..., M, K], b is [..., K, N]; batch axes broadcast. Keep a factor only if the other needs a gradient.
  return record("matmul", matmul(a.value(), b.value()), {a, b},
                [av = Saved(b.requires_grad() ? a : Variable()), bv = Saved(a.requires_grad() ? b : Variable()),
                 a_shape = a.shape(), b_shape = b.shape()](const Tensor& dy, Grads& d) {
                  // Broadcast batch axes are summed away.
                  if (d.needs(0)) d[0] = sum_to(matmul(dy, transpose(*bv)), a_shape);  // [M, N] x [N, K]
                  if (d.needs(1)) d[1] = sum_to(matmul(transpose(*av), dy), b_shape);  // [K, M] x [M, N]
                });
  // LAB 3.5 END
}

// dW = dy^T x and db, the gradients of inputs `weight` and `weight` + 1, where they are wanted. If the weight has a gradient
// already (several backward passes before one update), dW is added to it in place.
void linear_backward_parameters(const LinearCotangent& dy, const Tensor& x, int weight, Precision precision, Grads& d) {
  if (d.needs(weight)) {  // [N, M] x [M, K]
    if (const Tensor grad = d.leaf_grad(weight); grad.defined()) {
      linear_backward_weight_into(dy.operand, x, grad, precision);
    } else {
      d[weight] = linear_backward_weight(dy.operand, x, precision);
    }
  }
  if (d.needs(weight + 1)) d[weight + 1] = dy.sum;  // sum over M
}

// All gradients of a linear layer whose inputs 0, 1 and 2 are x, weight and bias: dx = dy W, dW and db. If x is stored in bf16,
// dy is rounded to bf16 too.
void linear_backward(const Tensor& cotangent, const Saved& x, const Saved& weight, Precision precision, Grads& d) {
  const bool rounded = d.needs(1) && x->dtype() == Dtype::bf16;
  const LinearCotangent dy(cotangent, rounded, d.needs(2));
  if (d.needs(0)) d[0] = linear_backward_input(dy.operand, *weight, precision);  // [M, N] x [N, K]
  linear_backward_parameters(dy, *x, 1, precision, d);
}

// y = x W^T + b, [..., K] -> [..., N]; dx = dy W, dW = dy^T x, db = sum of dy
Variable linear(const Variable& x, const Variable& weight, const Variable& bias) {
  const Precision precision = product_precision();
  const Tensor operand = linear_operand(x, weight, precision, grad_enabled() && weight.requires_grad());
  const LinearOptions options{.precision = precision, .keep_packed = !grad_enabled()};
  return record("linear", linear(operand, weight.value(), value_or_none(bias), options), {x, weight, bias},
                [xv = Saved(weight.requires_grad() ? operand : Tensor()), wv = Saved(x.requires_grad() ? weight : Variable()),
                 precision](const Tensor& dy, Grads& d) { linear_backward(dy, xv, wv, precision, d); });
}

// y = x W^T + b, rounded to bf16 as it is written
Variable linear_rounded(const Variable& x, const Variable& weight, const Variable& bias) {
  const Precision precision = product_precision();
  const Tensor operand = linear_operand(x, weight, precision, grad_enabled() && weight.requires_grad());
  check(rounds_operands(operand, weight.size(0), precision), ErrorKind::kValue, "linear",
        "an output in bf16 needs a product that rounds: precision is ", precision_name(precision), ", x is ", x.shape(),
        ", weight is ", weight.shape(), ". Hint: ask rounds_operands() first.");
  return record("linear", linear_rounded(operand, weight.value(), value_or_none(bias), !grad_enabled()), {x, weight, bias},
                [xv = Saved(weight.requires_grad() ? operand : Tensor()), wv = Saved(x.requires_grad() ? weight : Variable()),
                 precision](const Tensor& dy, Grads& d) { linear_backward(dy, xv, wv, precision, d); });
}

}  // namespace vitrail
