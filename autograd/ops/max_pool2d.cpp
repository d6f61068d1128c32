#include "autograd/ops.h"

namespace vitrail {

// The gradient goes to the place of each maximum.
Variable max_pool2d(const Variable& x, const Pool2dOptions& options) {
  const auto [y, indices] = max_pool2d_forward(x.value(), options);
  return record("max_pool2d", y, {x}, [places = Saved(indices), x_shape = x.shape()](const Tensor& dy, Grads& d) {
    d[0] = max_pool2d_backward(dy, *places, x_shape);
  });
}

}  // namespace vitrail
