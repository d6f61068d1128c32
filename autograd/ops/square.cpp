// y = x^2, y' = 2 x
#include "autograd/ops.h"

namespace vitrail {

Variable square(const Variable& x) {
  return record("square", square(x.value()), {x}, [xv = Saved(x)](const Tensor& dy, Grads& d) { d[0] = dy * (*xv * 2); });
}

}  // namespace vitrail
