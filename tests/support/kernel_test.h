// Helpers of the kernel tests: random inputs, comparison with plain loops, thread counts.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "tensor/machine/parallel.h"
#include "tensor/rng.h"
#include "tensor/tensor.h"
#include "tensor/view.h"

namespace vitrail::testing {

inline Tensor random_tensor(const Shape& shape, Dtype dtype, uint64_t seed) {
  return rand_normal(shape, 0, 1, Rng(seed), dtype);
}

// max |a - b|; infinite if the sizes differ or only one of two elements is NaN.
inline double max_difference(const Tensor& a, const std::vector<double>& b) {
  const std::vector<double> values = to_vector<double>(a);
  if (values.size() != b.size()) return std::numeric_limits<double>::infinity();
  double result = 0;
  for (size_t i = 0; i < b.size(); ++i) {
    if (std::isnan(values[i]) && std::isnan(b[i])) continue;
    const double d = values[i] == b[i] ? 0 : std::abs(values[i] - b[i]);
    result = std::max(result, std::isnan(d) ? std::numeric_limits<double>::infinity() : d);
  }
  return result;
}

// <a, b> in double.
inline double dot(const Tensor& a, const Tensor& b) {
  const std::vector<double> x = to_vector<double>(a), y = to_vector<double>(b);
  double sum = 0;
  for (size_t i = 0; i < x.size(); ++i) sum += x[i] * y.at(i);
  return sum;
}

// Runs `make` with 1, 2 and 4 threads and compares all of its tensors to the bit.
template <class Fn>
void check_same_bits_for_any_threads(Fn&& make) {
  const int before = num_threads();
  set_num_threads(1);
  const std::vector<Tensor> expected = make();
  for (const int threads : {2, 4}) {
    set_num_threads(threads);
    const std::vector<Tensor> actual = make();
    for (size_t i = 0; i < expected.size(); ++i) {
      CAPTURE(threads);
      CAPTURE(i);
      CHECK(bit_equal(actual[i], expected[i]));
    }
  }
  set_num_threads(before);
}

}  // namespace vitrail::testing
