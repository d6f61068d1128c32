// y = tanh x, y' = 1 - y^2
#include "autograd/ops.h"

namespace vitrail {

Variable tanh(const Variable& x) {
  Tensor y = tanh(x.value());
  return record("tanh", y, {x}, [yv = Saved(y)](const Tensor& dy, Grads& d) { d[0] = dy * (1 - square(*yv)); });
}

}  // namespace vitrail
