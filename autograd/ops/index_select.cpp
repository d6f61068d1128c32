// A slice that was picked several times sums its gradients.
#include "autograd/ops.h"

namespace vitrail {

Variable index_select(const Variable& x, int axis, const Tensor& index) {
  return record(
      "index_select", index_select(x.value(), axis, index), {x},
      [from = x.shape(), axis, at = Saved(index)](const Tensor& dy, Grads& d) { d[0] = index_add(from, axis, *at, dy); });
}

}  // namespace vitrail
