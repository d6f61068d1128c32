// Helpers of the tests that compare fast forms with plain ones.
#pragma once

#include <cmath>
#include <cstdlib>

#include "tensor/plain.h"
#include "tests/support/kernel_test.h"

namespace vitrail::testing {

// Random numbers of this shape under strides chosen by the seed: row-major, two axes exchanged, every second element of a
// larger tensor, or repeated along one axis with stride 0.
inline Tensor strided_tensor(const Shape& shape, Dtype dtype, uint64_t seed) {
  if (shape.empty()) return random_tensor(shape, dtype, seed);
  const Rng draws(seed, 7);
  const int axis = static_cast<int>(draws.below(0, static_cast<uint64_t>(shape.size())));
  Shape other = shape;
  switch (draws.below(1, 4)) {
    case 0: return random_tensor(shape, dtype, seed);
    case 1: return transpose(clone(transpose(random_tensor(shape, dtype, seed), 0, axis)), 0, axis);
    case 2: other[axis] = 2 * shape[axis] + 1; return slice(random_tensor(other, dtype, seed), axis, 1, other[axis], 2);
    default: other[axis] = shape[axis] > 0 ? 1 : 0; return expand(random_tensor(other, dtype, seed), shape);
  }
}

// The largest allowed difference of two results, relative to the largest number of either: some rounding errors of f64, or of
// f32.
inline double plain_tolerance(Dtype dtype) { return dtype == Dtype::f64 ? 1e-12 : 1e-5; }

inline double largest_magnitude(const Tensor& x) {
  double largest = 1;
  for (const double v : to_vector<double>(x)) largest = std::isfinite(v) ? std::max(largest, std::abs(v)) : largest;
  return largest;
}

// Calls make() twice, with the fast form and with the plain form of `op`, and compares all tensors that it returns. Also checks
// that the fast call ran no plain form, and the plain call at least one.
template <class Fn>
void check_plain(PlainOp op, Fn&& make, double tolerance = 0) {
  CAPTURE(plain_name(op));
  const PlainGuard none("");
  const std::vector<Tensor> fast = make();
  if (!std::getenv("VITRAIL_PLAIN")) CHECK(none.runs(op) == 0);
  const PlainGuard guard(plain_name(op));
  const std::vector<Tensor> plain = make();
  CHECK(guard.runs(op) > 0);
  REQUIRE(plain.size() == fast.size());
  for (size_t i = 0; i < fast.size(); ++i) {
    CAPTURE(i);
    REQUIRE(plain[i].defined() == fast[i].defined());
    if (!fast[i].defined()) continue;
    CHECK(plain[i].dtype() == fast[i].dtype());
    CHECK(plain[i].shape() == fast[i].shape());
    const double bound = tolerance > 0 ? tolerance : plain_tolerance(fast[i].dtype());
    CHECK(max_difference(fast[i], to_vector<double>(plain[i])) <= bound * largest_magnitude(plain[i]));
  }
}

// Returns a new random number in [low, high] on each call.
struct Draws {
  Rng rng;
  uint64_t next = 0;
  int64_t operator()(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(rng.below(next++, static_cast<uint64_t>(high - low + 1)));
  }
};

inline Dtype float_dtype(uint64_t seed) { return seed % 2 == 0 ? Dtype::f32 : Dtype::f64; }

}  // namespace vitrail::testing
