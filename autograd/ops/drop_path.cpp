#include "autograd/ops.h"
#include "tensor/ops/dropout.h"

namespace vitrail {

Variable drop_path(const Variable& x, double p, bool training, const Rng& rng) {
  check_drop_probability("drop_path", p);
  if (!training || p == 0) return x;
  const Tensor factors = drop_path_factors(x.value(), p, rng);  // [B, 1, ...]
  return record("drop_path", mul(x.value(), factors), {x},
                [f = Saved(factors)](const Tensor& dy, Grads& d) { d[0] = mul(dy, *f); });
}

}  // namespace vitrail
