// Only what was kept (on and above the k-th diagonal) gets a gradient.
#include "autograd/ops.h"

namespace vitrail {

Variable triu(const Variable& x, int64_t k) {
  return record("triu", triu(x.value(), k), {x}, [k](const Tensor& dy, Grads& d) { d[0] = triu(dy, k); });
}

}  // namespace vitrail
