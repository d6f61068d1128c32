// y = a + b
#include "autograd/ops.h"
#include "autograd/ops/broadcast.h"

namespace vitrail {

Variable add(const Variable& a, const Variable& b) {
  const auto [x, y] = broadcast_both("add", a, b);
  return record("add", add(x.value(), y.value()), {x, y}, [](const Tensor& dy, Grads& d) {
    d[0] = dy;
    d[1] = dy;
  });
}

Variable add(const Variable& a, double b) {
  return record("add", add(a.value(), b), {a}, [](const Tensor& dy, Grads& d) { d[0] = dy; });
}

}  // namespace vitrail
