#include "autograd/ops.h"

namespace vitrail {

Variable conv2d(const Variable& x, const Variable& weight, const Variable& bias, const Conv2dOptions& options) {
  return record("conv2d", conv2d(x.value(), weight.value(), bias.defined() ? bias.value() : Tensor(), options),
                {x, weight, bias},
                [xv = Saved(weight.requires_grad() ? x : Variable()), wv = Saved(x.requires_grad() ? weight : Variable()),
                 x_shape = x.shape(), weight_shape = weight.shape(), options](const Tensor& dy, Grads& d) {
                  if (d.needs(0)) d[0] = conv2d_backward_input(dy, *wv, x_shape, options);
                  if (d.needs(1)) d[1] = conv2d_backward_weight(dy, *xv, weight_shape, options);
                  if (d.needs(2)) d[2] = conv2d_backward_bias(dy);
                });
}

}  // namespace vitrail
