// y = log x, y' = 1 / x
#include "autograd/ops.h"

namespace vitrail {

Variable log(const Variable& x) {
  return record("log", log(x.value()), {x}, [xv = Saved(x)](const Tensor& dy, Grads& d) { d[0] = dy / *xv; });
}

}  // namespace vitrail
