// y = max(x, 0), y' = 1 where y > 0, else 0.
// Keeps y, not x: the layer that follows keeps y as its own input anyway, so it costs nothing.
#include "autograd/ops.h"

namespace vitrail {

Variable relu(const Variable& x) {
  Tensor y = relu(x.value());
  return record("relu", y, {x}, [yv = Saved(y)](const Tensor& dy, Grads& d) {
    const Tensor zero = scalar(0, dy.dtype());
    d[0] = where(greater(*yv, zero), dy, zero);
  });
}

}  // namespace vitrail
