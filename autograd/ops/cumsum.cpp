// y_i = x_0 + ... + x_i, so x_i is part of y_i and all that follow: a running sum from the end.
#include "autograd/ops.h"

namespace vitrail {

Variable cumsum(const Variable& x, int axis) {
  return record("cumsum", cumsum(x.value(), axis), {x},
                [axis](const Tensor& dy, Grads& d) { d[0] = flip(cumsum(flip(dy, {axis}), axis), {axis}); });
}

}  // namespace vitrail
