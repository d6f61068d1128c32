// Exchanging two axes is its own inverse.
#include "autograd/ops.h"
#include "tensor/view.h"

namespace vitrail {

Variable transpose(const Variable& x, int a, int b) {
  return record("transpose", transpose(x.value(), a, b), {x},
                [a, b](const Tensor& dy, Grads& d) { d[0] = transpose(dy, a, b); });
}

}  // namespace vitrail
