// y = e^x, y' = y
#include "autograd/ops.h"

namespace vitrail {

Variable exp(const Variable& x) {
  Tensor y = exp(x.value());
  return record("exp", y, {x}, [yv = Saved(y)](const Tensor& dy, Grads& d) { d[0] = dy * *yv; });
}

}  // namespace vitrail
