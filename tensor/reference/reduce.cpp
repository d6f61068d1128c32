#include "tensor/reference/reduce.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include "tensor/reference/elements.h"

namespace vitrail::reference {
namespace {

// Integers are added and multiplied as unsigned, which wraps around; signed overflow is undefined.
template <class T>
using Accumulator = std::conditional_t<std::is_integral_v<T>, uint64_t, double>;

// Sums and products of integers are i64.
template <class T>
using Total = std::conditional_t<std::is_integral_v<T>, int64_t, T>;

// y_r = row(x, r n): a function of the n elements that start at element r n
template <class T, class Out, class Fn>
void by_rows(const Tensor& x, int64_t n, Tensor& y, Fn row) {
  const auto in = read<T>(x);
  const auto out = write<Out>(y);
  for (int64_t r = 0; r < y.numel(); ++r) out[r] = static_cast<Out>(row(in, r * n));
}

// True if a comes before b: it is larger (smaller), or it is NaN and b is not.
template <class T>
bool better(T a, T b, bool largest) {
  if (a != a || b != b) return a != a && b == b;
  return largest ? a > b : a < b;
}

// log(e^x_first + ... + e^x_(first + n - 1))
template <class T>
double log_sum_exp(const Elements<const T>& x, int64_t first, int64_t n) {
  // LAB 0.3 BEGIN  the logarithm of the sum of e^x[i] for i = first ... first + n - 1, in double, for x[i] of any size
  double largest = -std::numeric_limits<double>::infinity(), total = 0;
  for (int64_t i = first; i < first + n; ++i) largest = std::fmax(largest, static_cast<double>(x[i]));
  if (std::isinf(largest)) largest = largest > 0 ? largest : 0;
  for (int64_t i = first; i < first + n; ++i) {
    const auto value = static_cast<double>(x[i]);
    total += value == largest ? 1 : std::exp(value - largest);
  }
  return largest + std::log(total);
  // LAB 0.3 END
}

}  // namespace

// y = sum_i x_i
void sum(const Tensor& x, int64_t n, Tensor y) {
  dispatch(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    by_rows<T, Total<T>>(x, n, y, [n](const auto& in, int64_t first) {
      Accumulator<T> total = 0;
      for (int64_t i = first; i < first + n; ++i) total += static_cast<Accumulator<T>>(in[i]);
      return total;
    });
  });
}

// y = sum_i x_i / n
void mean(const Tensor& x, int64_t n, Tensor y) {
  dispatch_float("mean", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    by_rows<T, T>(x, n, y, [n](const auto& in, int64_t first) {
      double total = 0;
      for (int64_t i = first; i < first + n; ++i) total += static_cast<double>(in[i]);
      return total / static_cast<double>(n);
    });
  });
}

// y = product of x_i
void prod(const Tensor& x, int64_t n, Tensor y) {
  dispatch(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    by_rows<T, Total<T>>(x, n, y, [n](const auto& in, int64_t first) {
      Accumulator<T> product = 1;
      for (int64_t i = first; i < first + n; ++i) product *= static_cast<Accumulator<T>>(in[i]);
      return product;
    });
  });
}

// y = sum_i (x_i - mean)^2 / (n - correction)
void var(const Tensor& x, int64_t n, double correction, Tensor y) {
  dispatch_float("var", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    by_rows<T, T>(x, n, y, [n, correction](const auto& in, int64_t first) {
      double total = 0, squares = 0;
      for (int64_t i = first; i < first + n; ++i) total += static_cast<double>(in[i]);
      for (int64_t i = first; i < first + n; ++i) {
        squares += std::pow(static_cast<double>(in[i]) - total / static_cast<double>(n), 2);
      }
      return squares / std::max(0.0, static_cast<double>(n) - correction);
    });
  });
}

// y = log sum_i e^x_i = max x + log sum_i e^(x_i - max x): no exponential is larger than 1
void logsumexp(const Tensor& x, int64_t n, Tensor y) {
  dispatch_float("logsumexp", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    by_rows<T, T>(x, n, y, [n](const auto& in, int64_t first) { return log_sum_exp(in, first, n); });
  });
}

void extremum(const Tensor& x, int64_t n, bool largest, Tensor y) {
  dispatch(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    by_rows<T, T>(x, n, y, [n, largest](const auto& in, int64_t first) {
      T best = in[first];
      for (int64_t i = first + 1; i < first + n; ++i) best = better<T>(in[i], best, largest) ? in[i] : best;
      return best;
    });
  });
}

void arg_extremum(const Tensor& x, int64_t n, bool largest, bool select_last, Tensor y) {
  dispatch(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    by_rows<T, int64_t>(x, n, y, [n, largest, select_last](const auto& in, int64_t first) {
      int64_t place = 0;
      for (int64_t i = 1; i < n; ++i) {
        const bool later_equal = select_last && !better<T>(in[first + place], in[first + i], largest);
        if (better<T>(in[first + i], in[first + place], largest) || later_equal) place = i;
      }
      return place;
    });
  });
}

}  // namespace vitrail::reference
