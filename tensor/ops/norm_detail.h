// What the normalisation kernels share: sums that vectorise, centring without cancellation, argument checks.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "tensor/ops/norm.h"
#include "tensor/parallel.h"

namespace vitrail::detail {

// sum of term(0) .. term(n - 1) in double. Four quarters are summed side by side: a single chain of additions would wait for
// the adder's latency. The order depends on n alone.
template <class Term>
inline double simd_sum(int64_t n, const Term& term) {
  const int64_t q = n / 4;
  double s0 = 0, s1 = 0, s2 = 0, s3 = 0;
#pragma omp simd reduction(+ : s0, s1, s2, s3)
  for (int64_t i = 0; i < q; ++i) {
    s0 += term(i);
    s1 += term(q + i);
    s2 += term(2 * q + i);
    s3 += term(3 * q + i);
  }
  for (int64_t i = 4 * q; i < n; ++i) s0 += term(i);
  return (s0 + s1) + (s2 + s3);
}

// sum of (x - shift), and of its square.
template <class T>
inline double sum_deviations(const T* x, int64_t n, double shift) {
  return simd_sum(n, [=](int64_t i) { return static_cast<double>(x[i]) - shift; });
}
template <class T>
inline double sum_squared_deviations(const T* x, int64_t n, double shift) {
  return simd_sum(n, [=](int64_t i) {
    const double d = static_cast<double>(x[i]) - shift;
    return d * d;
  });
}

// Subtracts a mean known in double from values of type T in arithmetic of type T: the part of the mean that T cannot hold is
// subtracted after the part that it can. The first difference is exact where the values are close to the mean, so nothing is
// lost where it would hurt (x around 10,000 with deviation 1).
template <class T>
struct Centre {
  explicit Centre(double mean) : high(static_cast<T>(mean)), low(static_cast<T>(mean - static_cast<double>(high))) {
    if (!std::isfinite(low)) low = 0;  // a mean that overflows T must not become inf - inf
  }
  T operator()(T x) const { return (x - high) - low; }
  T high, low;
};

// 1 / sqrt(var + eps), and 0 for a constant row with eps = 0, so that the row gives bias instead of 0 * inf.
inline double reciprocal_deviation(double var, double eps) { return var + eps == 0 ? 0.0 : 1 / std::sqrt(var + eps); }

// Rows a chunk should have at least, so that it is worth a thread.
inline int64_t row_grain(int64_t width, int64_t least = 1) {
  return std::max(least, kElementwiseGrain / std::max<int64_t>(width, 1));
}

// The shape of the row statistics. Throws for rank 0.
Shape without_last_axis(const char* op, const Tensor& x);
// Elements behind one (image, channel) of x [B, C, ...]. Throws below rank 2.
int64_t channel_plane(const char* op, const Tensor& x);
// Throws unless weight and bias (where defined) are [extent] and of x's dtype, and eps is a number >= 0.
void check_norm_arguments(const char* op, const Tensor& x, const Tensor& weight, const Tensor& bias, int64_t extent,
                          double eps);
// Throws unless dy has the shape and dtype of x, and the statistics (name, tensor) are f64 of shape `shape`.
void check_norm_backward(const char* op, const Tensor& dy, const Tensor& x, const Tensor& statistic, const char* name,
                         const Shape& shape);

// `t`, contiguous, or a fresh vector of `length` times `value` where it is undefined.
Tensor or_constant(const Tensor& t, int64_t length, double value, Dtype dtype);

// out[i] = sum over chunks c, in order, of partial[c][i]; partial is [chunks, width] of double.
Tensor combine_chunks(const std::vector<double>& partial, int64_t chunks, int64_t width, Dtype dtype);

}  // namespace vitrail::detail
