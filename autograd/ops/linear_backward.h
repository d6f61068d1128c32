// The backward pass of a product with weights, shared by linear and the fused ops.
#pragma once

#include "autograd/record.h"
#include "tensor/ops/elementwise.h"
#include "tensor/ops/linear.h"
#include "tensor/ops/rounding.h"

namespace vitrail {

inline Tensor value_or_none(const Variable& x) { return x.defined() ? x.value() : Tensor(); }

// x as the products of a linear layer read it, forward and backward: where they round it to bf16, it is rounded once and stored
// so, in half the memory, until the backward pass. `recorded`: there will be one.
inline Tensor linear_operand(const Variable& x, const Variable& weight, Precision precision, bool recorded) {
  return recorded && rounds_operands(x.value(), weight.size(0), precision) ? round_to_bf16(x.value()) : x.value();
}

// dy as both products of the backward pass read it, times one factor per sample if `samples` is defined; and its sum over all
// but the last axis.
struct LinearCotangent {
  LinearCotangent(const Tensor& dy, bool rounded, bool sum_wanted, const Tensor& samples = {}) : operand(dy) {
    if (rounded || dy.dtype() == Dtype::bf16) {
      operand = round_to_bf16(dy, sum_wanted ? &sum : nullptr, samples.defined() ? &samples : nullptr);
    } else if (samples.defined()) {
      operand = mul(dy, samples);
    }
    if (sum_wanted && !sum.defined()) sum = linear_backward_bias(operand);
  }
  Tensor operand, sum;
};

// dW = dy^T x and db, the gradients of inputs `weight` and `weight` + 1, where they are wanted. A weight that has a gradient
// already (several backward passes before one update) gets dW added in place.
void linear_backward_parameters(const LinearCotangent& dy, const Tensor& x, int weight, Precision precision, Grads& d);
// dx = dy W as well: inputs 0, 1 and 2 are x, weight and bias. Where x was stored in bf16, dy is.
void linear_backward(const Tensor& cotangent, const Saved& x, const Saved& weight, Precision precision, Grads& d);

}  // namespace vitrail
