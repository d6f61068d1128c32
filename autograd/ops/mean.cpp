// Every element counts 1 / n.
#include "autograd/ops.h"
#include "autograd/ops/reduction.h"

namespace vitrail {

Variable mean(const Variable& x, const Axes& axes, bool keepdim) {
  return record("mean", mean(x.value(), axes, keepdim), {x}, [axes, from = x.shape()](const Tensor& dy, Grads& d) {
    d[0] = spread(div(dy, static_cast<double>(reduced_count(axes, from))), axes, from);
  });
}

}  // namespace vitrail
