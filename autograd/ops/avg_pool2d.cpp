#include "autograd/ops.h"

namespace vitrail {

Variable avg_pool2d(const Variable& x, const Pool2dOptions& options) {
  return record("avg_pool2d", avg_pool2d(x.value(), options), {x}, [x_shape = x.shape(), options](const Tensor& dy, Grads& d) {
    d[0] = avg_pool2d_backward(dy, x_shape, options);
  });
}

}  // namespace vitrail
