// y = a / b with a number a: dy/db = -y / b
#include "autograd/ops.h"

namespace vitrail {

Variable rdiv(double a, const Variable& b) {
  Tensor y = rdiv(a, b.value());
  return record("rdiv", y, {b},
                [bv = Saved(b), yv = Saved(y)](const Tensor& dy, Grads& d) { d[0] = neg(div(mul(dy, *yv), *bv)); });
}

}  // namespace vitrail
