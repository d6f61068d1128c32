// y = 1 / x, y' = -y^2
#include "autograd/ops.h"

namespace vitrail {

Variable reciprocal(const Variable& x) {
  Tensor y = reciprocal(x.value());
  return record("reciprocal", y, {x}, [yv = Saved(y)](const Tensor& dy, Grads& d) { d[0] = neg(dy * square(*yv)); });
}

}  // namespace vitrail
