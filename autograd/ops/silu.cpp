// y = x s with s = sigmoid(x), y' = s (1 + x (1 - s))
#include "autograd/ops.h"

namespace vitrail {

Variable silu(const Variable& x) {
  return record("silu", silu(x.value()), {x}, [xv = Saved(x)](const Tensor& dy, Grads& d) {
    const Tensor s = sigmoid(*xv);
    d[0] = dy * (s * (1 + *xv * (1 - s)));
  });
}

}  // namespace vitrail
