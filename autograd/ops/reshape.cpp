// The same elements in the same order: dy goes back under the old shape.
#include "autograd/ops.h"
#include "tensor/view.h"

namespace vitrail {

Variable reshape(const Variable& x, const Shape& shape) {
  return record("reshape", reshape(x.value(), shape), {x},
                [from = x.shape()](const Tensor& dy, Grads& d) { d[0] = reshape(dy, from); });
}

}  // namespace vitrail
