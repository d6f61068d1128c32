// Only what was kept (on and below the k-th diagonal) gets a gradient.
#include "autograd/ops.h"

namespace vitrail {

Variable tril(const Variable& x, int64_t k) {
  return record("tril", tril(x.value(), k), {x}, [k](const Tensor& dy, Grads& d) { d[0] = tril(dy, k); });
}

}  // namespace vitrail
