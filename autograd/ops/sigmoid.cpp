// y = 1 / (1 + e^-x), y' = y (1 - y)
#include "autograd/ops.h"

namespace vitrail {

Variable sigmoid(const Variable& x) {
  Tensor y = sigmoid(x.value());
  return record("sigmoid", y, {x}, [yv = Saved(y)](const Tensor& dy, Grads& d) { d[0] = dy * (*yv * (1 - *yv)); });
}

}  // namespace vitrail
