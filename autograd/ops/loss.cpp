// Losses.
#include <algorithm>
#include <cmath>

#include "autograd/ops/layers.h"
#include "autograd/ops/math.h"
#include "autograd/rule.h"
#include "tensor/ops.h"

namespace vitrail {

namespace {

// Error(kShape) naming op unless both have the same shape: silent broadcasting of a target is a common mistake.
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

// What the backward pass of a class loss reads beside logits and target, protected against in-place changes.
struct SavedClassLoss {
  SavedClassLoss(const ClassLossResult& result, const CrossEntropyOptions& o)
      : log_sums(result.log_sums), class_weights(o.class_weights), divisor(result.divisor), options(o) {
    options.class_weights = {};
  }
  ClassLossResult result() const { return {{}, *log_sums, divisor}; }
  CrossEntropyOptions restored() const {
    CrossEntropyOptions whole = options;
    whole.class_weights = *class_weights;
    return whole;
  }

  Saved log_sums, class_weights;
  double divisor;
  CrossEntropyOptions options;
};

Variable class_loss(const char* name, const Variable& x, const Tensor& target, const CrossEntropyOptions& options,
                    bool log_probabilities) {
  const ClassLossResult result = class_loss_forward(name, x.value(), target, options, log_probabilities);
  return record(name, result.output, {x},
                [xv = Saved(x), t = Saved(target), kept = SavedClassLoss(result, options), log_probabilities](const Tensor& dy,
                                                                                                             Grads& d) {
                  d[0] = class_loss_backward(dy, *xv, *t, kept.result(), kept.restored(), log_probabilities);
                });
}

}  // namespace

// y = -log softmax(x)_t; dx = dy (softmax(x) - onehot(t)); with weights and smoothing see tensor/ops/loss.h
Variable cross_entropy(const Variable& logits, const Tensor& target, const CrossEntropyOptions& options) {
  return class_loss("cross_entropy", logits, target, options, /*log_probabilities=*/false);
}

// y = -x_t for log-probabilities x; dx = -dy onehot(t)
Variable nll_loss(const Variable& log_probabilities, const Tensor& target, const CrossEntropyOptions& options) {
  return class_loss("nll_loss", log_probabilities, target, options, /*log_probabilities=*/true);
}

// y = (x - t)^2; dx = 2 dy (x - t) = -dt
Variable mse_loss(const Variable& x, const Variable& target, Reduction reduction) {
  check_same_shape("mse_loss", x, target);
  return reduced(square(x - target), reduction);
}

// y = |x - t|; dx = dy sign(x - t) = -dt
Variable l1_loss(const Variable& x, const Variable& target, Reduction reduction) {
  check_same_shape("l1_loss", x, target);
  return reduced(abs(x - target), reduction);
}

// With a = |x - t| and q = min(a, beta): y = 0.5 q^2 / beta + (a - q), which equals both branches.
// dx = dy (x - t) / beta, limited to [-dy, dy]; dt = -dx. One node, because adding the gradients of the two terms would round a
// small one away.
Variable smooth_l1_loss(const Variable& x, const Variable& target, double beta, Reduction reduction) {
  check_same_shape("smooth_l1_loss", x, target);
  check(beta >= 0, ErrorKind::kValue, "smooth_l1_loss", "beta must not be negative: beta is ", beta);
  const Variable difference = x - target;
  if (beta == 0) return reduced(abs(difference), reduction);
  const Tensor a = abs(difference.value()), q = clamp(a, 0, beta);
  const Tensor value = square(q) * (0.5 / beta) + (a - q);
  const auto rule = [beta](double g, double v) { return g * (std::isnan(v) ? v : std::clamp(v / beta, -1.0, 1.0)); };
  const Variable loss =
      record("smooth_l1_loss", value, {difference}, [rule, dv = Saved(difference)](const Tensor& dy, Grads& d) {
        d[0] = each_element("smooth_l1_loss", rule, dy, *dv);
      });
  return reduced(loss, reduction);
}

namespace {

// Binary cross-entropy of sigmoid(x): with w = 1 - t for x >= 0 and w = t below, |x| w + log(1 + e^-|x|). A term with weight 0
// adds nothing, even at infinity.
double bce_value(double x, double t) {
  const double size = std::abs(x), weight = x >= 0 ? 1 - t : t;
  return (weight == 0 ? 0 : size * weight) + std::log1p(std::exp(-size));
}
// sigmoid(x) - t, without taking the difference of two numbers near 1.
double bce_by_logit(double x, double t) {
  const double e = std::exp(-std::abs(x)), small = e / (1 + e);
  return x >= 0 ? (1 - t) - small : small - t;
}

}  // namespace

// y = max(x, 0) - x t + log(1 + e^-|x|); dx = dy (sigmoid(x) - t), dt = -dy x
Variable bce_with_logits(const Variable& x, const Variable& target, Reduction reduction) {
  check_same_shape("bce_with_logits", x, target);
  check(x.dtype() == target.dtype(), ErrorKind::kValue, "bce_with_logits", "x and target need one dtype: x is ",
        name_of(x.dtype()), ", target is ", name_of(target.dtype()));
  const Tensor loss = each_element("bce_with_logits", bce_value, x.value(), target.value());
  const Variable each =
      record("bce_with_logits", loss, {x, target}, [xv = Saved(x), tv = Saved(target)](const Tensor& dy, Grads& d) {
        const auto rule = [](double g, double v, double t) { return g * bce_by_logit(v, t); };
        if (d.needs(0)) d[0] = each_element("bce_with_logits", rule, dy, *xv, *tv);
        if (d.needs(1)) d[1] = -(dy * *xv);
      });
  return reduced(each, reduction);
}

// y = t (log t - x), which is 0 at t = 0 for any x; dx = -dy t, dt = dy (log t + 1 - x), and 0 at t = 0
Variable kl_div(const Variable& x, const Variable& target, Reduction reduction) {
  check_same_shape("kl_div", x, target);
  check(x.dtype() == target.dtype(), ErrorKind::kValue, "kl_div", "x and target need one dtype: x is ", name_of(x.dtype()),
        ", target is ", name_of(target.dtype()));
  const auto value = [](double v, double t) { return t == 0 && !std::isnan(v) ? 0 : t * (std::log(t) - v); };
  const Variable loss = record(
      "kl_div", each_element("kl_div", value, x.value(), target.value()), {x, target},
      [xv = Saved(x), tv = Saved(target)](const Tensor& dy, Grads& d) {
        const auto by_target = [](double g, double v, double t) { return t == 0 ? 0 : g * (std::log(t) + 1 - v); };
        if (d.needs(0)) d[0] = -(dy * *tv);
        if (d.needs(1)) d[1] = each_element("kl_div", by_target, dy, *xv, *tv);
      });
  if (reduction != Reduction::kMean) return reduced(loss, reduction);
  check(x.dim() >= 1, ErrorKind::kShape, "kl_div", "the mean is over axis 0: x is a scalar");
  return sum(loss) / static_cast<double>(std::max<int64_t>(1, x.size(0)));
}

}  // namespace vitrail
