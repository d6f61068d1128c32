#include "tensor/kernels/class_loss.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tensor/machine/parallel.h"

namespace vitrail::kernels {
namespace {

constexpr int64_t kRowWork = 4096;  // logits in one chunk at least

// The input as pointers; it must outlive them.
template <class T>
struct Rows {
  int64_t count, classes;
  const T* x;
  const T* soft = nullptr;         // [count, classes], or
  const int64_t* index = nullptr;  // [count]
  const double* w = nullptr;       // [classes], or null: all 1
  double smoothing, spread;        // 1 - spread * classes is the mass left at the target
  int64_t ignore;

  explicit Rows(const ClassLossInput& in)
      : count(in.x.numel() / std::max<int64_t>(1, in.x.size(-1))),
        classes(in.x.size(-1)),
        x(in.x.data<T>()),
        smoothing(in.label_smoothing),
        spread(classes > 0 ? smoothing / static_cast<double>(classes) : 0),
        ignore(in.ignore_index) {
    if (is_float(in.target.dtype())) soft = in.target.data<T>();
    if (!soft) index = in.target.data<int64_t>();
    if (in.class_weights.defined()) w = in.class_weights.data<double>();
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

// log sum e^x as two numbers, maximum + log_total: in their sum, a large maximum would round the logarithm away.
struct LogSum {
  double maximum = 0, log_total = 0;
};

// e^(x - shift - log_total), with the exponent clamped where the result is 0 anyway. In double: the difference of two f32
// cannot overflow, and the gradient p - 1 of a class with p near 1 keeps its digits.
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

template <class T>
void row_gradient(const Rows<T>& rows, int64_t row, const LogSum& log_sum, bool log_probabilities, double scale, T* dx) {
  const T* x = rows.x + row * rows.classes;
  double mass = 0;  // w' of tensor/ops/loss.h
  for (int64_t c = rows.first(row); c < rows.last(row); ++c) mass += rows.coefficient(row, c);
  const int64_t first = rows.first(row), last = rows.last(row);
  for (int64_t c = 0; c < rows.classes; ++c) {
    double gradient = log_probabilities ? 0 : mass * exp_shifted(x[c], log_sum);
    if (c >= first && c < last) gradient -= rows.coefficient(row, c);
    dx[c] = static_cast<T>(scale * gradient);
  }
}

}  // namespace

void class_loss(const ClassLossInput& in, Tensor losses, Tensor log_sums) {
  double *const loss = losses.mutable_data<double>(), *const sums = log_sums.mutable_data<double>();
  dispatch_float("cross_entropy", in.x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const Rows<T> rows(in);
    parallel_for(rows.count, rows.grain(), [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        if (rows.ignored(row)) continue;
        LogSum log_sum;
        if (!in.log_probabilities) log_sum = log_sum_exp(rows.x + row * rows.classes, rows.classes);
        loss[row] = row_loss(rows, row, log_sum);
        sums[row * 2] = log_sum.maximum;
        sums[row * 2 + 1] = log_sum.log_total;
      }
    });
  });
}

void class_loss_backward(const ClassLossInput& in, const Tensor& log_sums, const Tensor& scales, Tensor dx) {
  const double *const sums = log_sums.data<double>(), *const scale = scales.data<double>();
  dispatch_float("cross_entropy", in.x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const Rows<T> rows(in);
    T* const out = dx.mutable_data<T>();
    parallel_for(rows.count, rows.grain(), [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        if (rows.ignored(row)) continue;
        row_gradient(rows, row, {sums[row * 2], sums[row * 2 + 1]}, in.log_probabilities, scale[row], out + row * rows.classes);
      }
    });
  });
}

}  // namespace vitrail::kernels
