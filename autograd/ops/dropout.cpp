#include "tensor/ops/dropout.h"

#include "autograd/ops.h"

namespace vitrail {

Variable dropout(const Variable& x, double p, bool training, const Rng& rng) {
  check_drop_probability("dropout", p);
  if (!training || p == 0) return x;
  const DropoutResult result = dropout_forward(x.value(), p, rng);
  return record("dropout", result.output, {x},
                [mask = Saved(result.mask), p](const Tensor& dy, Grads& d) { d[0] = dropout_backward(dy, *mask, p); });
}

}  // namespace vitrail
