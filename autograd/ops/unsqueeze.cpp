// A new axis of extent one: it disappears from dy.
#include "autograd/ops.h"
#include "tensor/view.h"

namespace vitrail {

Variable unsqueeze(const Variable& x, int axis) {
  return record("unsqueeze", unsqueeze(x.value(), axis), {x},
                [from = x.shape()](const Tensor& dy, Grads& d) { d[0] = reshape(dy, from); });
}

}  // namespace vitrail
