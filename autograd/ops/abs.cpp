// y = |x|, y' = sign(x); 0 at 0
#include "autograd/ops.h"

namespace vitrail {

Variable abs(const Variable& x) {
  return record("abs", abs(x.value()), {x}, [xv = Saved(x)](const Tensor& dy, Grads& d) { d[0] = dy * sign(*xv); });
}

}  // namespace vitrail
