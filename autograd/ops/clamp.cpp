// y = min(max(x, low), high), y' = 1 on [low, high], 0 outside
#include "autograd/ops.h"

namespace vitrail {

Variable clamp(const Variable& x, double low, double high) {
  return record("clamp", clamp(x.value(), low, high), {x}, [xv = Saved(x), low, high](const Tensor& dy, Grads& d) {
    const Dtype dtype = dy.dtype();
    const Tensor inside = logical_and(greater_equal(*xv, scalar(low, dtype)), less_equal(*xv, scalar(high, dtype)));
    d[0] = where(inside, dy, scalar(0, dtype));
  });
}

}  // namespace vitrail
