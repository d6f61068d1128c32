#include "tensor/reference/loss.h"

#include <cmath>
#include <limits>

#include "tensor/reference/elements.h"

namespace vitrail::reference {
namespace {

bool is_ignored(const ClassLossInput& in, int64_t row) {
  return in.target.dtype() == Dtype::i64 && read<int64_t>(in.target)[row] == in.ignore_index;
}

// w_c t'_c with t' = (1 - smoothing) t + smoothing / C, t the soft target, or the one-hot of the class index
template <class T>
double coefficient(const ClassLossInput& in, int64_t row, int64_t c) {
  // LAB 4.4 BEGIN  w_c t'_c: the target of class c (an index, or soft), smoothed over all C classes, times its weight.
  const int64_t classes = in.x.size(-1);
  const double t = in.target.dtype() == Dtype::i64 ? static_cast<double>(read<int64_t>(in.target)[row] == c)
                                                   : static_cast<double>(read<T>(in.target)[row * classes + c]);
  const double weight = in.class_weights.defined() ? read<double>(in.class_weights)(c) : 1;
  return weight * ((1 - in.label_smoothing) * t + in.label_smoothing / static_cast<double>(classes));
  // LAB 4.4 END
}

// The largest of a row and log sum_c e^(x_c - largest), kept apart: in their sum, a large maximum would round the logarithm
// away.
struct LogSum {
  double largest = 0, log_total = 0;
};
template <class T>
LogSum log_sum_of(const Elements<const T>& x, int64_t row, int64_t classes) {
  // LAB 4.4 BEGIN  The largest of the row (0 if infinite), and log sum_c e^(x_c - largest): two numbers, not added.
  LogSum sum{-std::numeric_limits<double>::infinity(), 0};
  for (int64_t c = 0; c < classes; ++c) sum.largest = std::fmax(sum.largest, static_cast<double>(x[row * classes + c]));
  if (std::isinf(sum.largest)) sum.largest = 0;
  double total = 0;
  for (int64_t c = 0; c < classes; ++c) total += std::exp(static_cast<double>(x[row * classes + c]) - sum.largest);
  sum.log_total = std::log(total);
  return sum;
  // LAB 4.4 END
}

}  // namespace

// loss_r = sum_c w_c t'_c (log sum_k e^x_k - x_c); a class without target mass adds nothing, even at x_c = -inf
void class_loss(const ClassLossInput& in, Tensor losses, Tensor log_sums) {
  const int64_t classes = in.x.size(-1);
  const auto loss = write<double>(losses), sums = write<double>(log_sums);
  dispatch_float("cross_entropy", in.x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const auto x = read<T>(in.x);
    for (int64_t row = 0; row < losses.numel(); ++row) {
      // LAB 4.4 BEGIN  loss[row], and its LogSum into sums (0 for log-probabilities); what is ignored or has no mass costs 0.
      const bool counts = !is_ignored(in, row);
      const LogSum sum = counts && !in.log_probabilities ? log_sum_of(x, row, classes) : LogSum{};
      loss[row] = 0;
      for (int64_t c = 0; counts && c < classes; ++c) {
        const double mass = coefficient<T>(in, row, c);
        if (mass != 0) loss[row] += mass * (sum.log_total + (sum.largest - static_cast<double>(x[row * classes + c])));
      }
      sums(row, 0) = sum.largest, sums(row, 1) = sum.log_total;
      // LAB 4.4 END
    }
  });
}

// dx_c = scale_r (w' e^(x_c - log sum_k e^x_k) - w_c t'_c), w' = sum_k w_k t'_k; of log-probabilities -scale_r w_c t'_c
void class_loss_backward(const ClassLossInput& in, const Tensor& scales, Tensor dx) {
  const int64_t classes = in.x.size(-1);
  const auto scale = read<double>(scales);
  dispatch_float("cross_entropy", in.x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const auto x = read<T>(in.x);
    const auto out = write<T>(dx);
    for (int64_t row = 0; row < scales.numel(); ++row) {
      // LAB 4.4 BEGIN  scale (mass of the row softmax(x)_c - mass of c); without softmax for log-probabilities; 0 if ignored.
      const bool counts = !is_ignored(in, row);
      const LogSum sum = counts ? log_sum_of(x, row, classes) : LogSum{};
      double mass = 0;
      for (int64_t c = 0; counts && c < classes; ++c) mass += coefficient<T>(in, row, c);
      for (int64_t c = 0; c < classes; ++c) {
        const double p = std::exp((static_cast<double>(x[row * classes + c]) - sum.largest) - sum.log_total);
        const double gradient = counts ? (in.log_probabilities ? 0 : mass * p) - coefficient<T>(in, row, c) : 0;
        out[row * classes + c] = static_cast<T>(scale[row] * gradient);
      }
      // LAB 4.4 END
    }
  });
}

}  // namespace vitrail::reference
