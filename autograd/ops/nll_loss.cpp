#include "autograd/ops.h"

namespace vitrail {

Variable nll_loss(const Variable& log_probabilities, const Tensor& target, const CrossEntropyOptions& options) {
  const ClassLossResult result =
      class_loss_forward("nll_loss", log_probabilities.value(), target, options, /*log_probabilities=*/true);
  return record("nll_loss", result.output, {log_probabilities},
                [x = Saved(log_probabilities), t = Saved(target), result, options](const Tensor& dy, Grads& d) {
                  d[0] = class_loss_backward(dy, *x, *t, result, options, /*log_probabilities=*/true);
                });
}

}  // namespace vitrail
