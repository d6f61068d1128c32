// y = erf x, y' = 2 / sqrt(pi) e^(-x^2)
#include <numbers>

#include "autograd/ops.h"

namespace vitrail {

Variable erf(const Variable& x) {
  return record("erf", erf(x.value()), {x}, [xv = Saved(x)](const Tensor& dy, Grads& d) {
    d[0] = dy * (exp(neg(square(*xv))) * (2 * std::numbers::inv_sqrtpi));
  });
}

}  // namespace vitrail
