#include "autograd/ops.h"

namespace vitrail {

// Resizing is linear in x: the gradient is its transpose.
Variable resize(const Variable& x, int64_t out_h, int64_t out_w, const ResizeOptions& options) {
  return record("resize", resize(x.value(), out_h, out_w, options), {x},
                [x_shape = x.shape(), options](const Tensor& dy, Grads& d) { d[0] = resize_backward(dy, x_shape, options); });
}

}  // namespace vitrail
