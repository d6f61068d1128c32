// y = a^b: dy/da = b a^(b - 1), dy/db = y log a.
// The limits at a = 0 are set by hand: 0^b does not move with b >= 0, and a^0 does not move with a.
#include "autograd/ops.h"
#include "autograd/ops/broadcast.h"

namespace vitrail {

Variable pow(const Variable& a, const Variable& b) {
  const auto [x, p] = broadcast_both("pow", a, b);
  const Variable power(pow(x.value(), p.value()));
  return record("pow", power.value(), {x, p},
                [xv = Saved(x), pv = Saved(p), yv = save_if(p.requires_grad(), power)](const Tensor& dy, Grads& d) {
                  const Tensor zero = scalar(0, dy.dtype());
                  if (d.needs(0)) d[0] = where(equal(*pv, zero), zero, dy * (*pv * pow(*xv, *pv - 1)));
                  if (d.needs(1)) {
                    const Tensor flat = logical_and(equal(*xv, zero), greater_equal(*pv, zero));
                    d[1] = where(flat, zero, dy * (*yv * log(*xv)));
                  }
                });
}

Variable pow(const Variable& a, double b) {
  return record("pow", pow(a.value(), b), {a}, [av = Saved(a), b](const Tensor& dy, Grads& d) {
    d[0] = b == 0 ? zeros(dy.shape(), dy.dtype()) : dy * (b * pow(*av, b - 1));
  });
}

}  // namespace vitrail
