// The chosen elements get the gradient, the others none.
#include "autograd/ops.h"

namespace vitrail {

TopkResult topk(const Variable& x, int64_t k, int axis, bool largest) {
  const auto [values, indices] = topk(x.value(), k, axis, largest);
  Variable chosen = record("topk", values, {x}, [from = x.shape(), axis, at = Saved(indices)](const Tensor& dy, Grads& d) {
    d[0] = scatter_add(zeros(from, dy.dtype()), axis, *at, dy);
  });
  return {chosen, indices};
}

}  // namespace vitrail
