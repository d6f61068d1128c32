// y = a - b with a number a
#include "autograd/ops.h"

namespace vitrail {

Variable rsub(double a, const Variable& b) {
  return record("rsub", rsub(a, b.value()), {b}, [](const Tensor& dy, Grads& d) { d[0] = neg(dy); });
}

}  // namespace vitrail
