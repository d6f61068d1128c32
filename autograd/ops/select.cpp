// The other indices of the axis get no gradient.
#include "autograd/ops.h"
#include "tensor/view.h"

namespace vitrail {

Variable select(const Variable& x, int axis, int64_t index) {
  return record("select", select(x.value(), axis, index), {x}, [from = x.shape(), axis, index](const Tensor& dy, Grads& d) {
    d[0] = zeros(from, dy.dtype());
    copy_(select(d[0], axis, index), dy);
  });
}

}  // namespace vitrail
