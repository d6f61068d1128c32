#include "autograd/ops.h"

namespace vitrail {

Variable adaptive_avg_pool2d(const Variable& x, int64_t out_h, int64_t out_w) {
  return record("adaptive_avg_pool2d", adaptive_avg_pool2d(x.value(), out_h, out_w), {x},
                [x_shape = x.shape()](const Tensor& dy, Grads& d) { d[0] = adaptive_avg_pool2d_backward(dy, x_shape); });
}

}  // namespace vitrail
