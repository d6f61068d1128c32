#include "autograd/ops.h"
#include "autograd/ops/loss_reduction.h"

namespace vitrail {

// With a = |x - t| and q = min(a, beta): 0.5 q^2 / beta + (a - q), which is both branches at once.
Variable smooth_l1_loss(const Variable& x, const Variable& target, double beta, Reduction reduction) {
  check_same_shape("smooth_l1_loss", x, target);
  check(beta >= 0, ErrorKind::kValue, "smooth_l1_loss", "beta must not be negative: beta is ", beta);
  const Variable a = abs(x - target);
  if (beta == 0) return reduced(a, reduction);
  const Variable q = clamp(a, 0, beta);
  return reduced(square(q) * (0.5 / beta) + (a - q), reduction);
}

}  // namespace vitrail
