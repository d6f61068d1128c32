// The backward pass of a product with weights, shared by linear and the fused ops.
#pragma once

#include "autograd/record.h"
#include "tensor/ops/elementwise.h"
#include "tensor/ops/linear.h"
#include "tensor/ops/rounding.h"

namespace vitrail {

inline Tensor value_or_none(const Variable& x) { return x.defined() ? x.value() : Tensor(); }

// x in the form that the products of a linear layer read, forward and backward. If they round it to bf16, it is rounded once
// and kept in bf16 until the backward pass, in half the memory. `recorded`: true if there will be a backward pass.
inline Tensor linear_operand(const Variable& x, const Variable& weight, Precision precision, bool recorded) {
  return recorded && rounds_operands(x.value(), weight.size(0), precision) ? round_to_bf16(x.value()) : x.value();
}

// dy in the form that both products of the backward pass read, multiplied by one factor per sample if `samples` is defined, and
// its sum over all axes but the last.
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

// dW = dy^T x and db, the gradients of inputs `weight` and `weight` + 1, where they are wanted. If the weight has a gradient
// already (several backward passes before one update), dW is added to it in place.
void linear_backward_parameters(const LinearCotangent& dy, const Tensor& x, int weight, Precision precision, Grads& d);
// All gradients of a linear layer whose inputs 0, 1 and 2 are x, weight and bias: dx = dy W, dW and db. If x is stored in bf16,
// dy is rounded to bf16 too.
void linear_backward(const Tensor& cotangent, const Saved& x, const Saved& weight, Precision precision, Grads& d);

}  // namespace vitrail
