// y = x Phi(x), y' = Phi(x) + x Phi'(x), in one pass for each kind of Phi
#include "autograd/ops.h"

namespace vitrail {

Variable gelu(const Variable& x, Gelu kind) {
  return record("gelu", gelu(x.value(), kind), {x},
                [xv = Saved(x), kind](const Tensor& dy, Grads& d) { d[0] = gelu_backward(dy, *xv, kind); });
}

}  // namespace vitrail
