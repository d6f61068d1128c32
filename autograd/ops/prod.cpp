// dy/dx_i is the product of all others: y / x_i, unless something is 0. With one zero only its own derivative is not 0,
// with two all are 0.
#include "autograd/ops.h"
#include "autograd/ops/reduction.h"

namespace vitrail {

Variable prod(const Variable& x, const Axes& axes, bool keepdim) {
  return record("prod", prod(x.value(), axes, keepdim), {x}, [axes, xv = Saved(x)](const Tensor& dy, Grads& d) {
    const Dtype dtype = dy.dtype();
    const Tensor zero = scalar(0, dtype), one = scalar(1, dtype);
    const Tensor is_zero = equal(*xv, zero);
    const Tensor safe = where(is_zero, one, *xv);  // x without its zeros
    const Tensor others = prod(safe, axes, true);  // product of what is not 0
    const Tensor zeros_in = sum(to(is_zero, dtype), axes, true);
    const Tensor at_zero = where(equal(zeros_in, one), others, zero);
    const Tensor elsewhere = where(equal(zeros_in, zero), others / safe, zero);
    d[0] = keep_axes(dy, axes, xv->shape()) * where(is_zero, at_zero, elsewhere);
  });
}

}  // namespace vitrail
