// The pieces of the op table: one function per group of autograd/ops.h, each in tests/op_cases_<group>.cpp, and makers of the
// inputs that the samples need. A row is written {"name", {{"label", {inputs}, fn}, ...}} with at least six samples.
#pragma once

#include <vector>

#include "tests/op_cases.h"

namespace vitrail::testing {

std::vector<OpCase> shape_cases();
std::vector<OpCase> elementwise_cases();
std::vector<OpCase> reduce_cases();
std::vector<OpCase> index_cases();
std::vector<OpCase> product_cases();
std::vector<OpCase> norm_cases();
std::vector<OpCase> image_cases();
std::vector<OpCase> loss_cases();
std::vector<OpCase> regularisation_cases();

// ---- inputs: f64 leaves that require a gradient; the same seed gives the same values ----

// Standard normal values.
Variable leaf(const Shape& shape, uint64_t seed);
// Uniform in [low, high): for functions with a limited domain (log, sqrt, probabilities).
Variable uniform_leaf(const Shape& shape, uint64_t seed, double low, double high);
// Magnitude uniform in [0.2, 1.5), random sign: no value where a central difference could step over a kink at 0.
Variable leaf_off_zero(const Shape& shape, uint64_t seed);
// All values different by at least 0.05, in random order around 0: for max, topk, sort and other choices between elements.
Variable distinct_leaf(const Shape& shape, uint64_t seed);
// Like leaf, but the last two axes are stored exchanged (rank >= 2): not contiguous.
Variable transposed_leaf(const Shape& shape, uint64_t seed);
// Like leaf, but only every second element of a longer last axis (rank >= 1): not contiguous, last stride 2.
Variable strided_leaf(const Shape& shape, uint64_t seed);
// Values of shape `from` seen as `shape` with stride 0 where extents were repeated (tensor expand).
Variable expanded_leaf(const Shape& from, const Shape& shape, uint64_t seed);
// The same values and strides as x, as a leaf without a gradient (a constant).
Variable constant(const Variable& x);

// ---- other arguments ----

// i64 values in [0, extent).
Tensor random_index(const Shape& shape, int64_t extent, uint64_t seed);
// u8 values, 0 or 1.
Tensor random_mask(const Shape& shape, uint64_t seed);

// The op of one (two) inputs as an OpFunction: unary([](const Variable& x) { return exp(x); }).
template <class Fn>
OpFunction unary(Fn fn) {
  return [fn](const std::vector<Variable>& in) { return fn(in[0]); };
}
template <class Fn>
OpFunction binary(Fn fn) {
  return [fn](const std::vector<Variable>& in) { return fn(in[0], in[1]); };
}

}  // namespace vitrail::testing
