// Images: convolution, pooling, resizing.
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

// The gradient goes to the place of each maximum.
Variable max_pool2d(const Variable& x, const Pool2dOptions& options) {
  const auto [y, indices] = max_pool2d_forward(x.value(), options);
  return record("max_pool2d", y, {x}, [places = Saved(indices), x_shape = x.shape()](const Tensor& dy, Grads& d) {
    d[0] = max_pool2d_backward(dy, *places, x_shape);
  });
}

Variable avg_pool2d(const Variable& x, const Pool2dOptions& options) {
  return record("avg_pool2d", avg_pool2d(x.value(), options), {x}, [x_shape = x.shape(), options](const Tensor& dy, Grads& d) {
    d[0] = avg_pool2d_backward(dy, x_shape, options);
  });
}

Variable adaptive_avg_pool2d(const Variable& x, int64_t out_h, int64_t out_w) {
  return record("adaptive_avg_pool2d", adaptive_avg_pool2d(x.value(), out_h, out_w), {x},
                [x_shape = x.shape()](const Tensor& dy, Grads& d) { d[0] = adaptive_avg_pool2d_backward(dy, x_shape); });
}

// Resizing is linear in x: the gradient is its transpose.
Variable resize(const Variable& x, int64_t out_h, int64_t out_w, const ResizeOptions& options) {
  return record("resize", resize(x.value(), out_h, out_w, options), {x},
                [x_shape = x.shape(), options](const Tensor& dy, Grads& d) { d[0] = resize_backward(dy, x_shape, options); });
}

}  // namespace vitrail
