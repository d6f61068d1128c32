// The way back through a product with weights, shared by linear and its fused forms.
#pragma once

#include "autograd/node.h"
#include "tensor/ops/linear.h"

namespace vitrail {

// dW = dy^T x and db = sum of dy, the gradients of inputs `weight` and `weight` + 1, where they are wanted. A weight that has a
// gradient already (several backward passes before one update) gets dW added in place.
inline void linear_backward_parameters(const Tensor& dy, const Saved& x, int weight, Precision precision, Grads& d) {
  if (d.needs(weight)) {  // [N, M] x [M, K]
    if (const Tensor grad = d.leaf_grad(weight); grad.defined()) {
      linear_backward_weight_into(dy, *x, grad, precision);
    } else {
      d[weight] = linear_backward_weight(dy, *x, precision);
    }
  }
  if (d.needs(weight + 1)) d[weight + 1] = linear_backward_bias(dy);  // sum over M
}

// dx = dy W as well: inputs 0, 1 and 2 are x, weight and bias.
inline void linear_backward(const Tensor& dy, const Saved& x, const Saved& weight, Precision precision, Grads& d) {
  if (d.needs(0)) d[0] = linear_backward_input(dy, *weight, precision);  // [M, N] x [N, K]
  linear_backward_parameters(dy, x, 1, precision, d);
}

}  // namespace vitrail
