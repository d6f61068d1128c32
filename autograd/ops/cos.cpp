// y = cos x, y' = -sin x
#include "autograd/ops.h"

namespace vitrail {

Variable cos(const Variable& x) {
  return record("cos", cos(x.value()), {x}, [xv = Saved(x)](const Tensor& dy, Grads& d) { d[0] = neg(dy * sin(*xv)); });
}

}  // namespace vitrail
