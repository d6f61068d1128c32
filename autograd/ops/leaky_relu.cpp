// y = x > 0 ? x : slope x, y' = 1 or slope
#include "autograd/ops.h"

namespace vitrail {

Variable leaky_relu(const Variable& x, double slope) {
  return record("leaky_relu", leaky_relu(x.value(), slope), {x}, [xv = Saved(x), slope](const Tensor& dy, Grads& d) {
    d[0] = where(greater(*xv, scalar(0, dy.dtype())), dy, dy * slope);
  });
}

}  // namespace vitrail
