#include "autograd/ops.h"
#include "autograd/ops/loss_reduction.h"

namespace vitrail {

// max(x, 0) - x t + log(1 + e^-|x|): every term keeps its digits where log(1 + e^x) - x t would cancel them. One node, because
// the kinks of max and |x| cancel only in the whole: d/dx = sigmoid(x) - t everywhere.
Variable bce_with_logits(const Variable& x, const Variable& target, Reduction reduction) {
  check_same_shape("bce_with_logits", x, target);
  const Tensor& logits = x.value();
  const Tensor loss = relu(logits) - logits * target.value() + softplus(-abs(logits));
  const Variable each =
      record("bce_with_logits", loss, {x, target}, [xv = Saved(x), tv = Saved(target)](const Tensor& dy, Grads& d) {
        if (d.needs(0)) d[0] = dy * (sigmoid(*xv) - *tv);
        if (d.needs(1)) d[1] = -(dy * *xv);
      });
  return reduced(each, reduction);
}

}  // namespace vitrail
