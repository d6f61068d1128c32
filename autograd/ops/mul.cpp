// y = a b: each factor is the derivative by the other, and is kept only if the other wants one.
#include "autograd/ops.h"
#include "autograd/ops/broadcast.h"

namespace vitrail {

Variable mul(const Variable& a, const Variable& b) {
  const auto [x, y] = broadcast_both("mul", a, b);
  return record("mul", mul(x.value(), y.value()), {x, y},
                [xv = save_if(y.requires_grad(), x), yv = save_if(x.requires_grad(), y)](const Tensor& dy, Grads& d) {
                  if (d.needs(0)) d[0] = mul(dy, *yv);
                  if (d.needs(1)) d[1] = mul(dy, *xv);
                });
}

Variable mul(const Variable& a, double b) {
  return record("mul", mul(a.value(), b), {a}, [b](const Tensor& dy, Grads& d) { d[0] = mul(dy, b); });
}

}  // namespace vitrail
