// Shared by the normalisation kernels: vectorised sums, subtraction of the mean without cancellation, sums over chunks of rows.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "tensor/machine/parallel.h"
#include "tensor/machine/simd.h"
#include "tensor/tensor.h"

namespace vitrail::detail {

// A term of simd_sum() reads an array through Eight (eight neighbours at once) or One (a single number of the rest), and widens
// them to double.
struct Eight {
  int64_t index;
  template <class T>
  simd::Vector<T, 8> operator()(const T* x) const {
    return simd::load<simd::Vector<T, 8>>(x + index);
  }
};
struct One {
  int64_t index;
  template <class T>
  T operator()(const T* x) const {
    return x[index];
  }
};
inline double widen(float x) { return x; }
inline double widen(double x) { return x; }
template <class Values>
inline auto widen(Values x) {
  return simd::converted<double>(x);
}

// sum of term(at) in double, where at(x) reads from an array x [n] and widen() makes doubles of it. Keeps 16 partial sums,
// because a single chain of additions would wait for the latency of each; their order depends on n alone. Written with vectors,
// because the compiler turns the plain loop into gathers.
template <class Term>
inline double simd_sum(int64_t n, const Term& term) {
  simd::Vector<double, 8> even{}, odd{};
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) {
    even += term(Eight{i});
    odd += term(Eight{i + 8});
  }
  double rest = 0;
  for (; i < n; ++i) rest += term(One{i});
  even += odd;
  for (int64_t j = 0; j < 8; ++j) rest += even[j];
  return rest;
}

// sum of (x - shift), and of its square.
template <class T>
inline double sum_deviations(const T* x, int64_t n, double shift) {
  return simd_sum(n, [=](auto at) { return widen(at(x)) - shift; });
}
template <class T>
inline double sum_squared_deviations(const T* x, int64_t n, double shift) {
  return simd_sum(n, [=](auto at) {
    const auto d = widen(at(x)) - shift;
    return d * d;
  });
}

// Subtracts a mean known in double from values of type T, in arithmetic of type T: first the mean rounded to T, then the rest
// of it. The first difference is exact if the values are close to the mean, so nothing is lost in the critical case (x around
// 10,000 with deviation 1).
template <class T>
struct Centre {
  explicit Centre(double mean) : high(static_cast<T>(mean)), low(static_cast<T>(mean - static_cast<double>(high))) {
    if (!std::isfinite(low)) low = 0;  // if the mean overflows T, avoids inf - inf
  }
  template <class Values>
  Values operator()(Values x) const {
    return (x - high) - low;
  }
  T high, low;
};

// 1 / sqrt(var + eps), and 0 for a constant row with eps = 0, so that the row gives bias instead of 0 * inf.
inline double reciprocal_deviation(double var, double eps) { return var + eps == 0 ? 0.0 : 1 / std::sqrt(var + eps); }

// The fewest rows in a chunk that are worth starting a thread for.
inline int64_t row_grain(int64_t width, int64_t least = 1) {
  return std::max(least, kElementwiseGrain / std::max<int64_t>(width, 1));
}

// `t` made contiguous, or, if it is undefined, a new vector [length] filled with `value`.
Tensor or_constant(const Tensor& t, int64_t length, double value, Dtype dtype);

// out[i] = sum over chunks c, in order, of partial[c][i]; partial is [chunks, width] of double.
Tensor combine_chunks(const std::vector<double>& partial, int64_t chunks, int64_t width, Dtype dtype);

// The gradients of weight and bias [width] as sums over rows: each chunk of rows adds to sums of its own, which are then added
// in order.
struct ChunkSums {
  // For a loop parallel_for(rows, rows_a_chunk). Allocates nothing unless `wanted`.
  ChunkSums(int64_t rows, int64_t row_width, int64_t rows_a_chunk, bool wanted)
      : width(row_width), grain(rows_a_chunk), length(chunk_length(rows, grain)), chunks(ceil_div(rows, length)), made(wanted) {
    weight.resize(static_cast<size_t>(wanted ? chunks * width : 0)), bias.resize(weight.size());
  }
  // The sums of the chunk that begins at this row; null if none are wanted.
  double* weights(int64_t row) { return weight.empty() ? nullptr : weight.data() + row / length * width; }
  double* biases(int64_t row) { return bias.empty() ? nullptr : bias.data() + row / length * width; }
  void combine(Dtype dtype, Tensor& dweight, Tensor& dbias) const {
    if (!made) return;
    dweight = combine_chunks(weight, chunks, width, dtype);
    dbias = combine_chunks(bias, chunks, width, dtype);
  }

  int64_t width, grain, length, chunks;
  bool made;
  std::vector<double> weight, bias;
};

}  // namespace vitrail::detail
