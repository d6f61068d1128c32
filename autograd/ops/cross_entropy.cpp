#include "autograd/ops.h"

namespace vitrail {

Variable cross_entropy(const Variable& logits, const Tensor& target, const CrossEntropyOptions& options) {
  const ClassLossResult result =
      class_loss_forward("cross_entropy", logits.value(), target, options, /*log_probabilities=*/false);
  return record("cross_entropy", result.output, {logits},
                [x = Saved(logits), t = Saved(target), result, options](const Tensor& dy, Grads& d) {
                  d[0] = class_loss_backward(dy, *x, *t, result, options, /*log_probabilities=*/false);
                });
}

}  // namespace vitrail
