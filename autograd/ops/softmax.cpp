#include "tensor/ops/softmax.h"

#include "autograd/ops.h"

namespace vitrail {

Variable softmax(const Variable& x, int axis) {
  const Tensor y = softmax(x.value(), axis);
  return record("softmax", y, {x},
                [yv = Saved(y), axis](const Tensor& dy, Grads& d) { d[0] = softmax_backward(dy, *yv, axis); });
}

}  // namespace vitrail
