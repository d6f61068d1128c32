// y = log(1 + e^x), y' = sigmoid(x)
#include "autograd/ops.h"

namespace vitrail {

Variable softplus(const Variable& x) {
  return record("softplus", softplus(x.value()), {x},
                [xv = Saved(x)](const Tensor& dy, Grads& d) { d[0] = dy * sigmoid(*xv); });
}

}  // namespace vitrail
