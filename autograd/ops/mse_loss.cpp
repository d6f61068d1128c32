#include "autograd/ops.h"
#include "autograd/ops/loss_reduction.h"

namespace vitrail {

// (x - t)^2
Variable mse_loss(const Variable& x, const Variable& target, Reduction reduction) {
  check_same_shape("mse_loss", x, target);
  return reduced(square(x - target), reduction);
}

}  // namespace vitrail
