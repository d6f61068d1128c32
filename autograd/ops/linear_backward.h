// The way back through a product with weights, shared by linear and its fused forms.
#pragma once

#include "autograd/node.h"
#include "tensor/ops/linear.h"

namespace vitrail {

// dx = dy W, dW = dy^T x, db = sum of dy: the gradients of inputs 0, 1 and 2 that are wanted. A weight that has a gradient
// already (several backward passes before one update) gets dW added in place.
inline void linear_backward(const Tensor& dy, const Saved& x, const Saved& weight, Precision precision, Grads& d) {
  if (d.needs(0)) d[0] = linear_backward_input(dy, *weight, precision);  // [M, N] x [N, K]
  if (d.needs(1)) {                                                      // [N, M] x [M, K]
    if (const Tensor grad = d.leaf_grad(1); grad.defined()) {
      linear_backward_weight_into(dy, *x, grad, precision);
    } else {
      d[1] = linear_backward_weight(dy, *x, precision);
    }
  }
  if (d.needs(2)) d[2] = linear_backward_bias(dy);  // sum over M
}

}  // namespace vitrail
