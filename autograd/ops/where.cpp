// y = condition ? a : b: the gradient goes where the value came from.
#include "autograd/ops.h"

namespace vitrail {

Variable where(const Tensor& condition, const Variable& a, const Variable& b) {
  const Shape shape = broadcast_shapes(condition.shape(), broadcast_shapes(a.shape(), b.shape(), "where"), "where");
  const Variable x = broadcast_to(a, shape), y = broadcast_to(b, shape);
  return record("where", where(condition, x.value(), y.value()), {x, y}, [mask = Saved(condition)](const Tensor& dy, Grads& d) {
    const Tensor zero = scalar(0, dy.dtype());
    if (d.needs(0)) d[0] = where(*mask, dy, zero);
    if (d.needs(1)) d[1] = where(*mask, zero, dy);
  });
}

}  // namespace vitrail
