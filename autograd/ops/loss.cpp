// Losses.
#include <algorithm>

#include "autograd/ops.h"

namespace vitrail {

namespace {

// Error(kShape) naming op unless both have one shape: broadcasting a target in silence is a classic mistake.
void check_same_shape(const char* op, const Variable& x, const Variable& target) {
  check(x.shape() == target.shape(), ErrorKind::kShape, op, "x and target need one shape: x is ", x.shape(), ", target is ",
        target.shape(), ". Hint: reshape the target.");
}

Variable reduced(const Variable& loss, Reduction reduction) {
  switch (reduction) {
    case Reduction::kMean: return mean(loss);
    case Reduction::kSum: return sum(loss);
    case Reduction::kNone: return loss;
  }
  return loss;
}

}  // namespace

Variable cross_entropy(const Variable& logits, const Tensor& target, const CrossEntropyOptions& options) {
  const ClassLossResult result =
      class_loss_forward("cross_entropy", logits.value(), target, options, /*log_probabilities=*/false);
  return record("cross_entropy", result.output, {logits},
                [x = Saved(logits), t = Saved(target), result, options](const Tensor& dy, Grads& d) {
                  d[0] = class_loss_backward(dy, *x, *t, result, options, /*log_probabilities=*/false);
                });
}

Variable nll_loss(const Variable& log_probabilities, const Tensor& target, const CrossEntropyOptions& options) {
  const ClassLossResult result =
      class_loss_forward("nll_loss", log_probabilities.value(), target, options, /*log_probabilities=*/true);
  return record("nll_loss", result.output, {log_probabilities},
                [x = Saved(log_probabilities), t = Saved(target), result, options](const Tensor& dy, Grads& d) {
                  d[0] = class_loss_backward(dy, *x, *t, result, options, /*log_probabilities=*/true);
                });
}

// (x - t)^2
Variable mse_loss(const Variable& x, const Variable& target, Reduction reduction) {
  check_same_shape("mse_loss", x, target);
  return reduced(square(x - target), reduction);
}

// |x - t|
Variable l1_loss(const Variable& x, const Variable& target, Reduction reduction) {
  check_same_shape("l1_loss", x, target);
  return reduced(abs(x - target), reduction);
}

// With a = |x - t| and q = min(a, beta): 0.5 q^2 / beta + (a - q), which is both branches at once.
Variable smooth_l1_loss(const Variable& x, const Variable& target, double beta, Reduction reduction) {
  check_same_shape("smooth_l1_loss", x, target);
  check(beta >= 0, ErrorKind::kValue, "smooth_l1_loss", "beta must not be negative: beta is ", beta);
  const Variable a = abs(x - target);
  if (beta == 0) return reduced(a, reduction);
  const Variable q = clamp(a, 0, beta);
  return reduced(square(q) * (0.5 / beta) + (a - q), reduction);
}

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
