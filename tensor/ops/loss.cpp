#include "tensor/ops/loss.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "tensor/machine/parallel.h"
#include "tensor/plain.h"
#include "tensor/reference/loss.h"
#include "tensor/view.h"

namespace vitrail {
namespace {

constexpr int64_t kRowWork = 4096;  // elements of logits worth one chunk

// [B, C, d1, ...] -> [B, d1, ..., C], a view.
Tensor class_axis_last(const Tensor& x) {
  std::vector<int> order{0};
  for (int axis = 2; axis < x.dim(); ++axis) order.push_back(axis);
  order.push_back(1);
  return permute(x, order);
}

// [B, C, d1, ...] -> rows [B * d1 * ..., C], contiguous: a view for plain [B, C] logits, else one transposing copy.
Tensor class_last(const Tensor& x) {
  const int64_t classes = x.size(1);
  Shape rows = x.shape();
  rows.erase(1);
  return reshape(contiguous(class_axis_last(x)), {checked_numel(rows), classes});
}

// The inverse, as a view: rows [..., C] -> [B, C, d1, ...].
Tensor class_second(const Tensor& rows, const Shape& shape) {
  Shape last;
  std::vector<int> order{0, shape.size() - 1};
  for (int axis = 0; axis < shape.size(); ++axis) {
    if (axis != 1) last.push_back(shape[axis]);
    if (axis >= 2) order.push_back(axis - 1);
  }
  last.push_back(shape[1]);
  return permute(reshape(rows, last), order);
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

// Rows of logits and their targets in the layout of the kernels.
template <class T>
struct Rows {
  int64_t count, classes;
  Tensor logits, target, weights;  // kept alive for the pointers below
  const T* x;
  const T* soft = nullptr;         // [count, classes], or
  const int64_t* index = nullptr;  // [count]
  const double* w = nullptr;       // [classes], or null: all 1
  double smoothing, spread;        // 1 - spread * classes is the mass left at the target
  int64_t ignore;

  Rows(const Tensor& input, const Tensor& wanted, const CrossEntropyOptions& options)
      : classes(input.size(1)), logits(class_last(input)), smoothing(options.label_smoothing), ignore(options.ignore_index) {
    count = logits.size(0);
    x = logits.data<T>();
    spread = classes > 0 ? smoothing / static_cast<double>(classes) : 0;
    target = is_soft(wanted) ? class_last(wanted) : contiguous(wanted);
    if (is_soft(wanted)) soft = target.data<T>();
    if (!is_soft(wanted)) index = target.data<int64_t>();
    if (!options.class_weights.defined()) return;
    weights = contiguous(to(options.class_weights, Dtype::f64));
    w = weights.data<double>();
  }

  bool ignored(int64_t row) const { return index && index[row] == ignore; }
  double weight(int64_t c) const { return w ? w[c] : 1; }
  // The coefficient w_c t'_c of class c in this row's loss.
  double coefficient(int64_t row, int64_t c) const {
    const double t = soft ? static_cast<double>(soft[row * classes + c]) : static_cast<double>(index[row] == c);
    return weight(c) * ((1 - smoothing) * t + spread);
  }
  // Classes that carry target mass: all of them, or the index alone.
  int64_t first(int64_t row) const { return soft || smoothing > 0 ? 0 : index[row]; }
  int64_t last(int64_t row) const { return soft || smoothing > 0 ? classes : index[row] + 1; }
  int64_t grain() const { return std::max<int64_t>(1, kRowWork / std::max<int64_t>(1, classes)); }
};

// log sum e^x as two numbers, maximum + log_total: added up, a large maximum would swallow the logarithm.
struct LogSum {
  double maximum = 0, log_total = 0;
};

// e^(x - shift - log_total), bounded where e^d is 0 anyway. In double throughout: no two f32 overflow there, and the gradient
// p - 1 of a class that the model is sure of keeps its digits.
template <class T>
double exp_shifted(T x, const LogSum& by) {
  const double d = (static_cast<double>(x) - by.maximum) - by.log_total;
  return std::exp(std::max(d, -1e4));
}

template <class T>
LogSum log_sum_exp(const T* x, int64_t n) {
  T largest = -std::numeric_limits<T>::infinity();
  for (int64_t c = 0; c < n; ++c) largest = x[c] > largest ? x[c] : largest;
  const LogSum shift{std::isinf(largest) ? 0 : static_cast<double>(largest), 0};
  double total = 0;
  for (int64_t c = 0; c < n; ++c) total += exp_shifted(x[c], shift);
  return {shift.maximum, std::log(total)};
}

template <class T>
double row_loss(const Rows<T>& rows, int64_t row, const LogSum& log_sum) {
  const T* x = rows.x + row * rows.classes;
  double loss = 0;
  for (int64_t c = rows.first(row); c < rows.last(row); ++c) {
    const double coefficient = rows.coefficient(row, c);
    if (coefficient != 0) loss += coefficient * (log_sum.log_total + (log_sum.maximum - static_cast<double>(x[c])));
  }
  return loss;
}

// A finite loss that T cannot hold becomes the largest T, so that a training run sees a number and not an infinity.
template <class T>
T narrow(double value) {
  constexpr double kLargest = static_cast<double>(std::numeric_limits<T>::max());
  return static_cast<T>(std::isfinite(value) ? std::min(value, kLargest) : value);
}

template <class T>
double mean_divisor(const Rows<T>& rows) {
  if (rows.soft) return static_cast<double>(rows.count);
  double total = 0;
  for (int64_t row = 0; row < rows.count; ++row) total += rows.ignored(row) ? 0 : rows.weight(rows.index[row]);
  return total;
}

reference::ClassLossInput plain_input(const Tensor& x, const Tensor& target, const CrossEntropyOptions& options,
                                      bool log_probabilities) {
  const Tensor& weights = options.class_weights;
  return {class_axis_last(x),
          is_soft(target) ? class_axis_last(target) : target,
          weights.defined() ? to(weights, Dtype::f64) : weights,
          options.label_smoothing,
          options.ignore_index,
          log_probabilities};
}

template <class T>
ClassLossResult forward(const Tensor& input, const Tensor& target, const CrossEntropyOptions& options, bool log_probabilities) {
  const Rows<T> rows(input, target, options);
  ClassLossResult result;
  result.log_sums = zeros({rows.count, 2}, Dtype::f64);
  double* log_sums = result.log_sums.mutable_data<double>();
  std::vector<double> losses(rows.count, 0.0);
  const bool plain = runs_plain(PlainOp::kCrossEntropy);
  if (plain) {
    const Tensor row_losses = empty({rows.count}, Dtype::f64);
    reference::class_loss(plain_input(input, target, options, log_probabilities), row_losses, result.log_sums);
    losses = to_vector<double>(row_losses);
  }
  parallel_for(plain ? 0 : rows.count, rows.grain(), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      if (rows.ignored(row)) continue;
      LogSum log_sum;
      if (!log_probabilities) log_sum = log_sum_exp(rows.x + row * rows.classes, rows.classes);
      losses[row] = row_loss(rows, row, log_sum);
      log_sums[row * 2] = log_sum.maximum;
      log_sums[row * 2 + 1] = log_sum.log_total;
    }
  });
  if (options.reduction == Reduction::kNone) {
    Shape shape = input.shape();
    shape.erase(1);
    result.output = empty(shape, input.dtype());
    T* out = result.output.mutable_data<T>();
    for (int64_t row = 0; row < rows.count; ++row) out[row] = narrow<T>(losses[row]);
    return result;
  }
  double total = 0;
  for (double loss : losses) total += loss;
  if (options.reduction == Reduction::kMean) {
    result.divisor = mean_divisor(rows);
    total = result.divisor == 0 ? 0 : total / result.divisor;
  }
  result.output = scalar(static_cast<double>(narrow<T>(total)), input.dtype());
  return result;
}

template <class T>
void row_gradient(const Rows<T>& rows, int64_t row, const LogSum& log_sum, bool log_probabilities, double scale, T* dx) {
  const T* x = rows.x + row * rows.classes;
  double mass = 0;  // w' of the header
  for (int64_t c = rows.first(row); c < rows.last(row); ++c) mass += rows.coefficient(row, c);
  const int64_t first = rows.first(row), last = rows.last(row);
  for (int64_t c = 0; c < rows.classes; ++c) {
    double gradient = log_probabilities ? 0 : mass * exp_shifted(x[c], log_sum);
    if (c >= first && c < last) gradient -= rows.coefficient(row, c);
    dx[c] = static_cast<T>(scale * gradient);
  }
}

template <class T>
Tensor backward(const Tensor& dy, const Tensor& input, const Tensor& target, const ClassLossResult& saved,
                const CrossEntropyOptions& options, bool log_probabilities) {
  const Rows<T> rows(input, target, options);
  const Tensor upstream = contiguous(dy), log_sums = saved.log_sums;
  const T* g = upstream.data<T>();
  const double* sums = log_sums.data<double>();
  const bool per_row = options.reduction == Reduction::kNone;
  const double share = saved.divisor == 0 ? 0 : 1 / saved.divisor;  // divisor is 1 unless kMean
  Tensor out = zeros({rows.count, rows.classes}, input.dtype());
  if (runs_plain(PlainOp::kCrossEntropy)) {
    std::vector<double> scales;
    for (int64_t row = 0; row < rows.count; ++row) scales.push_back(share * static_cast<double>(g[per_row ? row : 0]));
    reference::class_loss_backward(plain_input(input, target, options, log_probabilities), from_vector(scales, {rows.count}),
                                   out);
    return class_second(out, input.shape());
  }
  T* dx = out.mutable_data<T>();
  parallel_for(rows.count, rows.grain(), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      if (rows.ignored(row)) continue;
      const double scale = share * static_cast<double>(g[per_row ? row : 0]);
      row_gradient(rows, row, {sums[row * 2], sums[row * 2 + 1]}, log_probabilities, scale, dx + row * rows.classes);
    }
  });
  return class_second(out, input.shape());
}

}  // namespace

ClassLossResult class_loss_forward(const char* op, const Tensor& x, const Tensor& target, const CrossEntropyOptions& options,
                                   bool log_probabilities) {
  check_arguments(op, x, target, options);
  return dispatch_float(op, x.dtype(),
                        [&](auto zero) { return forward<decltype(zero)>(x, target, options, log_probabilities); });
}

Tensor class_loss_backward(const Tensor& dy, const Tensor& x, const Tensor& target, const ClassLossResult& saved,
                           const CrossEntropyOptions& options, bool log_probabilities) {
  return dispatch_float("cross_entropy", x.dtype(),
                        [&](auto zero) { return backward<decltype(zero)>(dy, x, target, saved, options, log_probabilities); });
}

}  // namespace vitrail
