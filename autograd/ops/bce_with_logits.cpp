#include "autograd/ops.h"
#include "autograd/ops/loss_reduction.h"

namespace vitrail {

// log(1 + e^x) - x t: softplus is stable for any x, and so is its derivative, the sigmoid.
Variable bce_with_logits(const Variable& x, const Variable& target, Reduction reduction) {
  check_same_shape("bce_with_logits", x, target);
  return reduced(softplus(x) - x * target, reduction);
}

}  // namespace vitrail
