// y = x > 0 ? x : alpha (e^x - 1), y' = 1 or alpha e^x (Clevert et al., arXiv:1511.07289)
#include "autograd/ops.h"

namespace vitrail {

Variable elu(const Variable& x, double alpha) {
  return record("elu", elu(x.value(), alpha), {x}, [xv = Saved(x), alpha](const Tensor& dy, Grads& d) {
    d[0] = where(greater(*xv, scalar(0, dy.dtype())), dy, dy * (exp(*xv) * alpha));
  });
}

}  // namespace vitrail
