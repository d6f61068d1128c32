#include "tensor/reference/softmax.h"

#include <cmath>
#include <limits>

#include "tensor/reference/elements.h"

namespace vitrail::reference {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// The largest of row r, and sum_j e^(x_j - largest). Without the shift, e^x overflows from x = 89 on in f32. A row of -inf has
// the shift 0 and the sum 0.
struct RowSum {
  double largest = -kInfinity, total = 0;
};
template <class T>
RowSum row_sum(const Elements<const T>& x, int64_t r, int64_t n) {
  // LAB 4.3 BEGIN  The largest number of row r, and the sum of e^(x_j - largest); 0 and 0 for a row of -inf.
  RowSum sum;
  for (int64_t j = 0; j < n; ++j) sum.largest = std::fmax(sum.largest, static_cast<double>(x[r * n + j]));
  if (sum.largest == -kInfinity) sum.largest = 0;
  for (int64_t j = 0; j < n; ++j) sum.total += std::exp(static_cast<double>(x[r * n + j]) - sum.largest);
  return sum;
  // LAB 4.3 END
}

// sum_j a_j b_j of row r
template <class T>
double row_dot(const Elements<const T>& a, const Elements<const T>& b, int64_t r, int64_t n) {
  double sum = 0;
  for (int64_t j = 0; j < n; ++j) sum += static_cast<double>(a[r * n + j]) * static_cast<double>(b[r * n + j]);
  return sum;
}

}  // namespace

// y_i = e^(x_i - max x) / sum_j e^(x_j - max x); zeros for a row of -inf
void softmax(const Tensor& x, Tensor y) {
  const int64_t n = x.size(-1);
  dispatch_float("softmax", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const auto in = read<T>(x);
    const auto out = write<T>(y);
    for (int64_t r = 0; r < row_count(x); ++r) {
      // LAB 4.3 BEGIN  Row r of the softmax; zeros for a row of -inf.
      const RowSum sum = row_sum(in, r, n);
      for (int64_t i = 0; i < n; ++i) {
        const double e = std::exp(static_cast<double>(in[r * n + i]) - sum.largest);
        out[r * n + i] = static_cast<T>(sum.total == 0 ? 0 : e / sum.total);
      }
      // LAB 4.3 END
    }
  });
}

// dx_i = y_i (dy_i - sum_j dy_j y_j): from dy_j/dx_i = y_j ((i == j) - y_i)
void softmax_backward(const Tensor& dy, const Tensor& y, Tensor dx) {
  const int64_t n = y.size(-1);
  dispatch_float("softmax", y.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const auto g = read<T>(dy), p = read<T>(y);
    const auto out = write<T>(dx);
    for (int64_t r = 0; r < row_count(y); ++r) {
      // LAB 4.3 BEGIN  Row r of the gradient: g is dy, p the result of softmax; row_dot() is given.
      const double sum = row_dot(g, p, r, n);
      for (int64_t i = r * n; i < (r + 1) * n; ++i) {
        out[i] = static_cast<T>(static_cast<double>(p[i]) * (static_cast<double>(g[i]) - sum));
      }
      // LAB 4.3 END
    }
  });
}

// y_i = x_i - max x - log sum_j e^(x_j - max x). A finite x gives a finite y, at least the lowest finite number.
void log_softmax(const Tensor& x, Tensor y) {
  const int64_t n = x.size(-1);
  dispatch_float("log_softmax", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const auto in = read<T>(x);
    const auto out = write<T>(y);
    for (int64_t r = 0; r < row_count(x); ++r) {
      // LAB 4.3 BEGIN  Row r of log softmax: at least the lowest number of T where x is finite; -inf for a row of -inf.
      const RowSum sum = row_sum(in, r, n);
      const double log_total = sum.total == 0 ? 0 : std::log(sum.total);
      for (int64_t i = r * n; i < (r + 1) * n; ++i) {
        const double value = static_cast<double>(in[i]) - sum.largest - log_total;
        const auto lowest = static_cast<double>(std::numeric_limits<T>::lowest());
        out[i] = static_cast<T>(std::isfinite(in[i]) && value < lowest ? lowest : value);
      }
      // LAB 4.3 END
    }
  });
}

// dx_i = dy_i - e^y_i sum_j dy_j: from dy_j/dx_i = (i == j) - e^y_i
void log_softmax_backward(const Tensor& dy, const Tensor& y, Tensor dx) {
  const int64_t n = y.size(-1);
  dispatch_float("log_softmax", y.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const auto g = read<T>(dy), log_p = read<T>(y);
    const auto out = write<T>(dx);
    for (int64_t r = 0; r < row_count(y); ++r) {
      // LAB 4.3 BEGIN  Row r of the gradient: g is dy, log_p the result of log softmax.
      double sum = 0;
      for (int64_t j = r * n; j < (r + 1) * n; ++j) sum += static_cast<double>(g[j]);
      for (int64_t i = r * n; i < (r + 1) * n; ++i) {
        out[i] = static_cast<T>(static_cast<double>(g[i]) - std::exp(static_cast<double>(log_p[i])) * sum);
      }
      // LAB 4.3 END
    }
  });
}

}  // namespace vitrail::reference
