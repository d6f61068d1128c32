// y = a / b: dy/da = 1 / b, dy/db = -y / b
#include "autograd/ops.h"
#include "autograd/ops/broadcast.h"

namespace vitrail {

Variable div(const Variable& a, const Variable& b) {
  const auto [x, y] = broadcast_both("div", a, b);
  const Variable quotient(div(x.value(), y.value()));
  return record("div", quotient.value(), {x, y},
                [yv = Saved(y), qv = save_if(y.requires_grad(), quotient)](const Tensor& dy, Grads& d) {
                  const Tensor dx = div(dy, *yv);
                  if (d.needs(0)) d[0] = dx;
                  if (d.needs(1)) d[1] = neg(mul(dx, *qv));
                });
}

Variable div(const Variable& a, double b) {
  return record("div", div(a.value(), b), {a}, [b](const Tensor& dy, Grads& d) { d[0] = div(dy, b); });
}

}  // namespace vitrail
