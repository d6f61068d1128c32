// y = 1 / sqrt(x), y' = -y^3 / 2
#include "autograd/ops.h"

namespace vitrail {

Variable rsqrt(const Variable& x) {
  Tensor y = rsqrt(x.value());
  return record("rsqrt", y, {x}, [yv = Saved(y)](const Tensor& dy, Grads& d) { d[0] = dy * (*yv * square(*yv) * -0.5); });
}

}  // namespace vitrail
