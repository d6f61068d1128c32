// y = sin x, y' = cos x
#include "autograd/ops.h"

namespace vitrail {

Variable sin(const Variable& x) {
  return record("sin", sin(x.value()), {x}, [xv = Saved(x)](const Tensor& dy, Grads& d) { d[0] = dy * cos(*xv); });
}

}  // namespace vitrail
