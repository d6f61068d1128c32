// Every element counts once: dy is repeated, as a view.
#include "autograd/ops.h"
#include "autograd/ops/reduction.h"

namespace vitrail {

Variable sum(const Variable& x, const Axes& axes, bool keepdim) {
  return record("sum", sum(x.value(), axes, keepdim), {x},
                [axes, from = x.shape()](const Tensor& dy, Grads& d) { d[0] = spread(dy, axes, from); });
}

}  // namespace vitrail
