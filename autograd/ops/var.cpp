// y = sum (x - mean)^2 / (n - correction), dy/dx = 2 (x - mean) / (n - correction): the mean's own share cancels.
#include "autograd/ops.h"
#include "autograd/ops/reduction.h"

namespace vitrail {

Variable var(const Variable& x, const Axes& axes, bool keepdim, double correction) {
  return record("var", var(x.value(), axes, keepdim, correction), {x},
                [axes, correction, xv = Saved(x)](const Tensor& dy, Grads& d) {
                  const double divisor = static_cast<double>(reduced_count(axes, xv->shape())) - correction;
                  const Tensor deviation = sub(*xv, mean(*xv, axes, true));
                  d[0] = deviation * mul(keep_axes(dy, axes, xv->shape()), 2 / divisor);
                });
}

}  // namespace vitrail
