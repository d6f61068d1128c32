#include "autograd/ops.h"
#include "autograd/ops/loss_reduction.h"

namespace vitrail {

// |x - t|
Variable l1_loss(const Variable& x, const Variable& target, Reduction reduction) {
  check_same_shape("l1_loss", x, target);
  return reduced(abs(x - target), reduction);
}

}  // namespace vitrail
