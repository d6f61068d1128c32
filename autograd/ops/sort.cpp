// Each gradient goes back to the place that its value came from.
#include "autograd/ops.h"

namespace vitrail {

TopkResult sort(const Variable& x, int axis, bool descending) {
  const auto [values, indices] = sort(x.value(), axis, descending);
  Variable sorted = record("sort", values, {x}, [axis, at = Saved(indices)](const Tensor& dy, Grads& d) {
    d[0] = scatter_add(zeros(dy.shape(), dy.dtype()), axis, *at, dy);
  });
  return {sorted, indices};
}

}  // namespace vitrail
