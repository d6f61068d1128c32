// y = a - b
#include "autograd/ops.h"
#include "autograd/ops/broadcast.h"

namespace vitrail {

Variable sub(const Variable& a, const Variable& b) {
  const auto [x, y] = broadcast_both("sub", a, b);
  return record("sub", sub(x.value(), y.value()), {x, y}, [](const Tensor& dy, Grads& d) {
    d[0] = dy;
    if (d.needs(1)) d[1] = neg(dy);
  });
}

Variable sub(const Variable& a, double b) {
  return record("sub", sub(a.value(), b), {a}, [](const Tensor& dy, Grads& d) { d[0] = dy; });
}

}  // namespace vitrail
