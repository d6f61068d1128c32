// An axis of extent one disappears: dy gets it back.
#include "autograd/ops.h"
#include "tensor/view.h"

namespace vitrail {

Variable squeeze(const Variable& x, int axis) {
  return record("squeeze", squeeze(x.value(), axis), {x},
                [from = x.shape()](const Tensor& dy, Grads& d) { d[0] = reshape(dy, from); });
}

}  // namespace vitrail
