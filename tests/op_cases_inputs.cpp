// The makers of inputs for the table of gradient checks.
#include "tensor/ops.h"
#include "tests/op_cases_parts.h"

namespace vitrail::testing {
namespace {

Variable leaf_of(Tensor value) { return Variable(std::move(value), true); }

}  // namespace

Variable leaf(const Shape& shape, uint64_t seed) { return leaf_of(rand_normal(shape, 0, 1, Rng(seed), Dtype::f64)); }

Variable uniform_leaf(const Shape& shape, uint64_t seed, double low, double high) {
  return leaf_of(rand_uniform(shape, low, high, Rng(seed), Dtype::f64));
}

Variable leaf_off_zero(const Shape& shape, uint64_t seed) {
  const Tensor size = rand_uniform(shape, 0.2, 1.5, Rng(seed), Dtype::f64);
  const Tensor sign_of = sign(rand_uniform(shape, -1, 1, Rng(seed, 1), Dtype::f64));
  return leaf_of(mul(size, sign_of));
}

Variable distinct_leaf(const Shape& shape, uint64_t seed) {
  const int64_t n = checked_numel(shape);
  const Tensor order = to(rand_permutation(n, Rng(seed)), Dtype::f64);
  return leaf_of(reshape(add(mul(order, 0.1), 0.03 - 0.05 * static_cast<double>(n)), shape));
}

Variable transposed_leaf(const Shape& shape, uint64_t seed) {
  Shape exchanged = shape;
  std::swap(exchanged[shape.size() - 1], exchanged[shape.size() - 2]);
  return leaf_of(transpose(rand_normal(exchanged, 0, 1, Rng(seed), Dtype::f64)));
}

Variable strided_leaf(const Shape& shape, uint64_t seed) {
  Shape longer = shape;
  longer.back() *= 2;
  return leaf_of(slice(rand_normal(longer, 0, 1, Rng(seed), Dtype::f64), -1, 0, longer.back(), 2));
}

Variable expanded_leaf(const Shape& from, const Shape& shape, uint64_t seed) {
  return leaf_of(expand(rand_normal(from, 0, 1, Rng(seed), Dtype::f64), shape));
}

Variable constant(const Variable& x) { return Variable(x.value()); }

Tensor random_index(const Shape& shape, int64_t extent, uint64_t seed) { return rand_int(shape, 0, extent, Rng(seed)); }

Tensor random_mask(const Shape& shape, uint64_t seed) { return to(rand_int(shape, 0, 2, Rng(seed)), Dtype::u8); }

}  // namespace vitrail::testing
