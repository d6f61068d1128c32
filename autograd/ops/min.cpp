// Equal minima share the gradient, so that it does not depend on their order.
#include "autograd/ops.h"
#include "autograd/ops/reduction.h"

namespace vitrail {

Variable min(const Variable& x, const Axes& axes, bool keepdim) {
  Tensor y = min(x.value(), axes, keepdim);
  return record("min", y, {x}, [axes, xv = Saved(x), yv = Saved(y)](const Tensor& dy, Grads& d) {
    const Tensor chosen = equal(*xv, keep_axes(*yv, axes, xv->shape()));
    const Tensor share = keep_axes(dy, axes, xv->shape()) / sum(to(chosen, dy.dtype()), axes, true);
    d[0] = where(chosen, share, scalar(0, dy.dtype()));
  });
}

}  // namespace vitrail
