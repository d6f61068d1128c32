// y = log sum e^x, dy/dx = e^(x - y): the softmax. A range of -inf only (y = -inf) gets no gradient.
#include "autograd/ops.h"
#include "autograd/ops/reduction.h"

namespace vitrail {

Variable logsumexp(const Variable& x, const Axes& axes, bool keepdim) {
  Tensor y = logsumexp(x.value(), axes, keepdim);
  return record("logsumexp", y, {x}, [axes, xv = Saved(x), yv = Saved(y)](const Tensor& dy, Grads& d) {
    // -inf - 0 instead of -inf - -inf, which is NaN
    const Tensor shift = where(isfinite(*yv), *yv, scalar(0, dy.dtype()));
    d[0] = exp(*xv - keep_axes(shift, axes, xv->shape())) * keep_axes(dy, axes, xv->shape());
  });
}

}  // namespace vitrail
