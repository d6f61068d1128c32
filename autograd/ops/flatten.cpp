// Neighbouring axes as one: dy goes back under the old shape.
#include "autograd/ops.h"
#include "tensor/view.h"

namespace vitrail {

Variable flatten(const Variable& x, int start, int end) {
  return record("flatten", flatten(x.value(), start, end), {x},
                [from = x.shape()](const Tensor& dy, Grads& d) { d[0] = reshape(dy, from); });
}

}  // namespace vitrail
