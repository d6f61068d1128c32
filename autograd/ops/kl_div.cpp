#include <algorithm>

#include "autograd/ops.h"
#include "autograd/ops/loss_reduction.h"

namespace vitrail {

// t (log t - x), where t log t is 0 at t = 0.
Variable kl_div(const Variable& x, const Variable& target, Reduction reduction) {
  check_same_shape("kl_div", x, target);
  const Tensor zero = zeros({}, target.dtype());
  const Tensor positive = greater(target.value(), zero);
  const Variable safe = where(positive, target, Variable(ones({}, target.dtype())));  // log 1 = 0 stands in for log 0
  const Variable loss = target * (log(safe) - x);
  if (reduction != Reduction::kMean) return reduced(loss, reduction);
  check(x.dim() >= 1, ErrorKind::kShape, "kl_div", "the mean is over axis 0: x is a scalar");
  return sum(loss) / static_cast<double>(std::max<int64_t>(1, x.size(0)));
}

}  // namespace vitrail
