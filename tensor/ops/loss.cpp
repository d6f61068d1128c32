#include "tensor/ops/loss.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "tensor/kernels/class_loss.h"
#include "tensor/ops/elementwise.h"
#include "tensor/plain.h"
#include "tensor/reference/loss.h"
#include "tensor/view.h"

namespace vitrail {
namespace {

// [B, C, d1, ...] -> [B, d1, ..., C], a view.
Tensor class_axis_last(const Tensor& x) {
  std::vector<int> order{0};
  for (int axis = 2; axis < x.dim(); ++axis) order.push_back(axis);
  order.push_back(1);
  return permute(x, order);
}

// The inverse, as a view: [B, d1, ..., C] -> [B, C, d1, ...].
Tensor class_axis_second(const Tensor& x) {
  std::vector<int> order{0, x.dim() - 1};
  for (int axis = 1; axis < x.dim() - 1; ++axis) order.push_back(axis);
  return permute(x, order);
}

bool is_soft(const Tensor& target) { return is_float(target.dtype()); }

void check_indices(const char* op, const Tensor& target, int64_t classes, int64_t ignore_index) {
  const Tensor flat = contiguous(target);
  const int64_t* t = flat.data<int64_t>();
  for (int64_t i = 0; i < flat.numel(); ++i) {
    if (t[i] == ignore_index || (t[i] >= 0 && t[i] < classes)) continue;
    std::string place;
    int64_t rest = i;
    for (int axis = target.dim() - 1; axis >= 0; --axis) {
      place = std::to_string(rest % target.size(axis)) + (place.empty() ? "" : ", ") + place;
      rest /= target.size(axis);
    }
    fail(ErrorKind::kValue, op, "class out of range: target[", place, "] is ", t[i], ", but there are ", classes,
         " classes (0 to ", classes - 1, "). Hint: labels count from 0; mark those to skip with ignore_index (", ignore_index,
         ").");
  }
}

void check_arguments(const char* op, const Tensor& x, const Tensor& target, const CrossEntropyOptions& options) {
  check(x.dim() >= 2, ErrorKind::kShape, op, "logits need a batch and a class axis: logits are ", x.shape(),
        ". Hint: unsqueeze(logits, 0) for a single sample.");
  check(options.label_smoothing >= 0 && options.label_smoothing <= 1, ErrorKind::kValue, op,
        "label_smoothing must lie in [0, 1]: it is ", options.label_smoothing);
  const Tensor& weights = options.class_weights;
  check(!weights.defined() || (weights.shape() == Shape{x.size(1)} && is_float(weights.dtype())), ErrorKind::kShape, op,
        "class_weights must be one float per class: they are ", weights.shape(), ", logits are ", x.shape(), " (", x.size(1),
        " classes)");
  Shape rows = x.shape();
  rows.erase(1);
  if (is_soft(target)) {
    check(target.shape() == x.shape(), ErrorKind::kShape, op, "soft targets must have the shape of the logits: target is ",
          target.shape(), ", logits are ", x.shape(), ". Hint: class indices are i64; convert with to(target, Dtype::i64).");
    check(target.dtype() == x.dtype(), ErrorKind::kValue, op, "soft targets must have the dtype of the logits: target is ",
          name_of(target.dtype()), ", logits are ", name_of(x.dtype()));
    return;
  }
  check(target.dtype() == Dtype::i64, ErrorKind::kValue, op, "class indices must be i64: target is ", name_of(target.dtype()),
        ". Hint: to(target, Dtype::i64).");
  check(target.shape() == rows, ErrorKind::kShape, op, "one class index per row of logits is needed: target is ",
        target.shape(), ", logits are ", x.shape(), " (want ", rows, ")");
  check_indices(op, target, x.size(1), options.ignore_index);
}

// A finite loss that T cannot hold becomes the largest T, so that a training run sees a number and not an infinity.
template <class T>
T narrow(double value) {
  constexpr double kLargest = static_cast<double>(std::numeric_limits<T>::max());
  return static_cast<T>(std::isfinite(value) ? std::min(value, kLargest) : value);
}

// What the mean divides by: the weights of the targets (indices), or the rows (soft targets).
double mean_divisor(const ClassLossInput& in, int64_t rows) {
  if (is_soft(in.target)) return static_cast<double>(rows);
  const Tensor target = contiguous(in.target);
  const int64_t* index = target.data<int64_t>();
  const double* w = in.class_weights.defined() ? in.class_weights.data<double>() : nullptr;
  double total = 0;
  for (int64_t row = 0; row < rows; ++row) {
    if (index[row] != in.ignore_index) total += w ? w[index[row]] : 1;
  }
  return total;
}

// The input in the layout that both forms read; contiguous for the kernel.
ClassLossInput input_of(const Tensor& x, const Tensor& target, const CrossEntropyOptions& options, bool log_probabilities) {
  const Tensor& weights = options.class_weights;
  ClassLossInput in{class_axis_last(x),
                    is_soft(target) ? class_axis_last(target) : target,
                    weights.defined() ? contiguous(to(weights, Dtype::f64)) : weights,
                    options.label_smoothing,
                    options.ignore_index,
                    log_probabilities};
  if (!runs_plain(PlainOp::kCrossEntropy)) in.x = contiguous(in.x), in.target = contiguous(in.target);
  return in;
}

template <class T>
Tensor reduced_loss(const Tensor& losses, const Shape& rows, Reduction reduction, double divisor, Dtype dtype) {
  const double* loss = losses.data<double>();
  if (reduction == Reduction::kNone) {
    Tensor result = empty(rows, dtype);
    T* out = result.mutable_data<T>();
    for (int64_t row = 0; row < losses.numel(); ++row) out[row] = narrow<T>(loss[row]);
    return result;
  }
  double total = 0;
  for (int64_t row = 0; row < losses.numel(); ++row) total += loss[row];
  if (reduction == Reduction::kMean) total = divisor == 0 ? 0 : total / divisor;
  return scalar(static_cast<double>(narrow<T>(total)), dtype);
}

}  // namespace

ClassLossResult class_loss_forward(const char* op, const Tensor& x, const Tensor& target, const CrossEntropyOptions& options,
                                   bool log_probabilities) {
  check_arguments(op, x, target, options);
  const ClassLossInput in = input_of(x, target, options, log_probabilities);
  Shape rows = x.shape();
  rows.erase(1);
  const int64_t count = checked_numel(rows);
  const Tensor losses = zeros({count}, Dtype::f64);
  ClassLossResult result;
  result.log_sums = zeros({count, 2}, Dtype::f64);
  if (runs_plain(PlainOp::kCrossEntropy)) {
    reference::class_loss(in, losses, result.log_sums);
  } else {
    kernels::class_loss(in, losses, result.log_sums);
  }
  if (options.reduction == Reduction::kMean) result.divisor = mean_divisor(in, count);
  result.output = dispatch_float(op, x.dtype(), [&](auto zero) {
    return reduced_loss<decltype(zero)>(losses, rows, options.reduction, result.divisor, x.dtype());
  });
  return result;
}

Tensor class_loss_backward(const Tensor& dy, const Tensor& x, const Tensor& target, const ClassLossResult& saved,
                           const CrossEntropyOptions& options, bool log_probabilities) {
  const ClassLossInput in = input_of(x, target, options, log_probabilities);
  const Tensor dx = zeros(in.x.shape(), x.dtype());
  const double share = saved.divisor == 0 ? 0 : 1 / saved.divisor;  // divisor is 1 unless kMean
  const Tensor upstream = mul(to(contiguous(dy), Dtype::f64), share);
  const int64_t count = saved.log_sums.size(0);
  const Tensor scales = contiguous(expand(reshape(upstream, {upstream.numel()}), {count}));
  if (runs_plain(PlainOp::kCrossEntropy)) {
    reference::class_loss_backward(in, scales, dx);
  } else {
    kernels::class_loss_backward(in, saved.log_sums, scales, dx);
  }
  return class_axis_second(dx);
}

}  // namespace vitrail
