// An element that was picked several times sums its gradients.
#include "autograd/ops.h"

namespace vitrail {

Variable gather(const Variable& x, int axis, const Tensor& index) {
  return record("gather", gather(x.value(), axis, index), {x},
                [from = x.shape(), axis, at = Saved(index)](const Tensor& dy, Grads& d) {
                  d[0] = scatter_add(zeros(from, dy.dtype()), axis, *at, dy);
                });
}

}  // namespace vitrail
