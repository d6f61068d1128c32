// The way back through a product with weights, shared by linear and its fused forms.
#pragma once

#include "autograd/record.h"
#include "tensor/ops/linear.h"
#include "tensor/ops/rounding.h"

namespace vitrail {

// x as the products of a linear layer read it, forward and back: where they round it, it is rounded once, and takes half the
// memory until the way back. `recorded`: there will be one.
inline Tensor linear_operand(const Variable& x, const Variable& weight, Precision precision, bool recorded) {
  return recorded && rounds_operands(x.value(), weight.size(0), precision) ? round_to_bf16(x.value()) : x.value();
}

// dy as both products of the way back read it, and db = sum of dy over all but the last axis.
struct LinearCotangent {
  LinearCotangent(const Tensor& dy, bool rounded, bool bias_wanted) : operand(dy) {
    if (rounded || dy.dtype() == Dtype::bf16) operand = round_to_bf16(dy, bias_wanted ? &sum : nullptr);
    if (bias_wanted && !sum.defined()) sum = linear_backward_bias(dy);
  }
  Tensor operand, sum;
};

// dW = dy^T x and db, the gradients of inputs `weight` and `weight` + 1, where they are wanted. A weight that has a
// gradient already (several backward passes before one update) gets dW added in place.
inline void linear_backward_parameters(const LinearCotangent& dy, const Tensor& x, int weight, Precision precision, Grads& d) {
  if (d.needs(weight)) {  // [N, M] x [M, K]
    if (const Tensor grad = d.leaf_grad(weight); grad.defined()) {
      linear_backward_weight_into(dy.operand, x, grad, precision);
    } else {
      d[weight] = linear_backward_weight(dy.operand, x, precision);
    }
  }
  if (d.needs(weight + 1)) d[weight + 1] = dy.sum;  // sum over M
}

// dx = dy W as well: inputs 0, 1 and 2 are x, weight and bias. Where x was rounded, dy is.
inline void linear_backward(const Tensor& cotangent, const Saved& x, const Saved& weight, Precision precision, Grads& d) {
  const bool rounded = d.needs(1) && x->dtype() == Dtype::bf16;
  const LinearCotangent dy(cotangent, rounded, d.needs(2));
  if (d.needs(0)) d[0] = linear_backward_input(dy.operand, *weight, precision);  // [M, N] x [N, K]
  linear_backward_parameters(dy, *x, 1, precision, d);
}

}  // namespace vitrail
