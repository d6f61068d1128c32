#include "autograd/ops.h"
#include "tensor/ops/softmax.h"

namespace vitrail {

Variable log_softmax(const Variable& x, int axis) {
  const Tensor y = log_softmax(x.value(), axis);
  return record("log_softmax", y, {x},
                [yv = Saved(y), axis](const Tensor& dy, Grads& d) { d[0] = log_softmax_backward(dy, *yv, axis); });
}

}  // namespace vitrail
