// y = -x, y' = -1
#include "autograd/ops.h"

namespace vitrail {

Variable neg(const Variable& x) {
  return record("neg", neg(x.value()), {x}, [](const Tensor& dy, Grads& d) { d[0] = neg(dy); });
}

}  // namespace vitrail
