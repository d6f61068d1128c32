// Gradients of elementwise ops, one number at a time.
//
// A rule computes in double from the op's inputs, and its result is rounded once. In f32, sigmoid'(15) computed from the
// rounded sigmoid(15) would be wrong by 17 %, and 1 / (x sqrt(x)) could overflow where the gradient does not.
#pragma once

#include <utility>

#include "autograd/record.h"
#include "tensor/machine/parallel.h"
#include "tensor/tensor.h"

namespace vitrail {

// out_i = rule(x_i, y_i, ...) for tensors of one shape and one dtype (f32 or f64); rule takes and returns double.
template <class Rule, class... Tensors>
Tensor each_element(const char* op, Rule rule, const Tensor& first, const Tensors&... others) {
  Tensor out = empty_like(first);
  dispatch_float(op, first.dtype(), [&](auto zero) {
    using T = decltype(zero);
    T* to = out.mutable_data<T>();
    const auto run = [&](const auto&... rows) {
      parallel_for(out.numel(), kElementwiseGrain / 4, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) to[i] = static_cast<T>(rule(static_cast<double>(rows.template data<T>()[i])...));
      });
    };
    run(contiguous(first), contiguous(others)...);
  });
  return out;
}

// An op of one operand, y = f(x), whose gradient is rule(dy, x).
template <class Rule>
Variable record_unary(const char* name, Tensor value, const Variable& x, Rule rule) {
  return record(name, std::move(value), {x},
                [name, xv = Saved(x), rule](const Tensor& dy, Grads& d) { d[0] = each_element(name, rule, dy, *xv); });
}

}  // namespace vitrail
