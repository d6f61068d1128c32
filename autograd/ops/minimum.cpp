// The smaller of two gets the gradient; where they are equal, half each.
#include "autograd/ops.h"
#include "autograd/ops/broadcast.h"

namespace vitrail {

Variable minimum(const Variable& a, const Variable& b) {
  const auto [x, y] = broadcast_both("minimum", a, b);
  return record("minimum", minimum(x.value(), y.value()), {x, y}, [xv = Saved(x), yv = Saved(y)](const Tensor& dy, Grads& d) {
    const Tensor tie = where(equal(*xv, *yv), dy * 0.5, scalar(0, dy.dtype()));
    if (d.needs(0)) d[0] = where(less(*xv, *yv), dy, tie);
    if (d.needs(1)) d[1] = where(less(*yv, *xv), dy, tie);
  });
}

}  // namespace vitrail
