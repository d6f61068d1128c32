#include "autograd/ops.h"
#include "tensor/ops/matmul.h"

namespace vitrail {

// y = x W^T + b, [..., K] -> [..., N]
Variable linear(const Variable& x, const Variable& weight, const Variable& bias) {
  return record("linear", linear(x.value(), weight.value(), bias.defined() ? bias.value() : Tensor()), {x, weight, bias},
                [xv = Saved(weight.requires_grad() ? x : Variable()), wv = Saved(x.requires_grad() ? weight : Variable())](
                    const Tensor& dy, Grads& d) {
                  if (d.needs(0)) d[0] = linear_backward_input(dy, *wv);   // [M, N] x [N, K]
                  if (d.needs(1)) d[1] = linear_backward_weight(dy, *xv);  // [N, M] x [M, K]
                  if (d.needs(2)) d[2] = linear_backward_bias(dy);         // sum over M
                });
}

}  // namespace vitrail
