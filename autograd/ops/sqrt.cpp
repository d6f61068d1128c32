// y = sqrt(x), y' = 1 / (2 y)
#include "autograd/ops.h"

namespace vitrail {

Variable sqrt(const Variable& x) {
  Tensor y = sqrt(x.value());
  return record("sqrt", y, {x}, [yv = Saved(y)](const Tensor& dy, Grads& d) { d[0] = dy / (*yv * 2); });
}

}  // namespace vitrail
