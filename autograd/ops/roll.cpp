// Rolling back is the inverse.
#include "autograd/ops.h"

namespace vitrail {

Variable roll(const Variable& x, int64_t shift, int axis) {
  return record("roll", roll(x.value(), shift, axis), {x},
                [shift, axis](const Tensor& dy, Grads& d) { d[0] = roll(dy, -shift, axis); });
}

}  // namespace vitrail
