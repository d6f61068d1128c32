// Attention against softmax(scale Q K^T + mask) V from separate operations.
#include <doctest/doctest.h>

#include <cmath>

#include "tensor/machine/parallel.h"
#include "tensor/ops.h"
#include "tensor/rng.h"

using namespace vitrail;

namespace {

Tensor random(const Shape& shape, uint64_t seed, Dtype dtype = Dtype::f64) {
  return rand_normal(shape, 0, 1, Rng(seed), dtype);
}

double largest_difference(const Tensor& a, const Tensor& b) { return a.numel() == 0 ? 0 : max(abs(sub(a, b))).item(); }

Tensor plain_attention(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& bias) {
  Tensor scores = mul(matmul(q, transpose(k)), 1 / std::sqrt(static_cast<double>(q.size(3))));
  if (bias.defined()) scores = add(scores, bias);
  return matmul(softmax(scores), v);
}

}  // namespace

TEST_CASE("attention equals its definition at odd sizes, with and without a mask") {
  uint64_t seed = 0;
  for (int64_t n : {1, 17, 65}) {
    for (int64_t m : {1, 17, 33}) {
      const Tensor q = random({2, 3, n, 8}, ++seed), k = random({2, 3, m, 8}, ++seed), v = random({2, 3, m, 5}, ++seed);
      const Tensor bias = random({1, 3, n, m}, ++seed);
      CHECK(largest_difference(attention_forward(q, k, v).output, plain_attention(q, k, v, {})) < 1e-12);
      CHECK(largest_difference(attention_forward(q, k, v, bias).output, plain_attention(q, k, v, bias)) < 1e-12);
    }
  }
}

TEST_CASE("heads may be views into one fused buffer") {
  const Tensor qkv = random({2, 9, 3, 4, 8}, 1);
  const auto part = [&](int64_t i) { return transpose(select(qkv, 2, i), 1, 2); };
  const Tensor q = part(0), k = part(1), v = part(2);
  CHECK_FALSE(q.is_contiguous());
  CHECK(largest_difference(attention_forward(q, k, v).output,
                           plain_attention(contiguous(q), contiguous(k), contiguous(v), {})) < 1e-12);
}

TEST_CASE("equal queries and keys give the mean of the values") {
  const Tensor v = random({1, 1, 6, 4}, 1);
  const Tensor out = attention_forward(zeros({1, 1, 2, 3}, Dtype::f64), zeros({1, 1, 6, 3}, Dtype::f64), v).output;
  CHECK(largest_difference(out, expand(mean(v, {2}, true), out.shape())) < 1e-14);
}

TEST_CASE("a row in which every key is forbidden gives zeros, and finite gradients") {
  const Tensor q = random({1, 1, 2, 4}, 1), k = random({1, 1, 3, 4}, 2), v = random({1, 1, 3, 4}, 3);
  const Tensor allowed = from_vector(std::vector<uint8_t>{1, 0, 1, 0, 0, 0}, {2, 3});
  const AttentionResult result = attention_forward(q, k, v, allowed, 0, AttentionKeep::kProbabilities);
  CHECK(max(abs(select(result.output, 2, 1))).item() == 0);
  CHECK(result.probabilities.at({0, 0, 0, 1}) == 0);
  const AttentionGradients g = attention_backward(ones({1, 1, 2, 4}, Dtype::f64), q, k, v, allowed, result);
  for (const Tensor& gradient : {g.dq, g.dk, g.dv}) CHECK(min(isfinite(gradient)).item() == 1);
}

TEST_CASE("scores of thousands saturate instead of overflowing") {
  const Tensor q = full({1, 1, 1, 4}, 1e4, Dtype::f32), v = random({1, 1, 2, 4}, 1, Dtype::f32);
  Tensor k = zeros({1, 1, 2, 4});
  fill_(select(k, 2, 0), 1e4);
  CHECK(largest_difference(attention_forward(q, k, v).output, slice(v, 2, 0, 1)) < 1e-6);
}

TEST_CASE("attention has the same bits for 1, 2 and 4 threads, forward and backward") {
  const int before = num_threads();
  const Tensor q = random({4, 3, 65, 16}, 1, Dtype::f32), k = random({4, 3, 65, 16}, 2, Dtype::f32),
               v = random({4, 3, 65, 16}, 3, Dtype::f32);
  set_num_threads(1);
  const AttentionResult one = attention_forward(q, k, v, {}, 0, AttentionKeep::kProbabilities);
  const AttentionGradients one_back = attention_backward(v, q, k, v, {}, one);
  for (int threads : {2, 4}) {
    set_num_threads(threads);
    const AttentionResult more = attention_forward(q, k, v, {}, 0, AttentionKeep::kProbabilities);
    const AttentionGradients back = attention_backward(v, q, k, v, {}, more);
    CHECK(bit_equal(one.output, more.output));
    CHECK((bit_equal(one_back.dq, back.dq) && bit_equal(one_back.dk, back.dk) && bit_equal(one_back.dv, back.dv)));
  }
  set_num_threads(before);
}

TEST_CASE("shapes that do not fit are all named") {
  CHECK_THROWS_WITH_AS(attention_forward(zeros({1, 2, 3, 4}), zeros({1, 2, 3, 5}), zeros({1, 2, 3, 4})),
                       doctest::Contains("q is [1, 2, 3, 4], k is [1, 2, 3, 5], v is [1, 2, 3, 4]"), Error);
  CHECK_THROWS_WITH_AS(attention_forward(zeros({1, 1, 2, 4}), zeros({1, 1, 3, 4}), zeros({1, 1, 3, 4}), zeros({4})),
                       doctest::Contains("shapes do not broadcast"), Error);
}

TEST_CASE("many heads without a number cost nothing") {
  const Shape shape{1, int64_t{1} << 50, 0, 4};
  const Tensor q = zeros(shape);
  for (const AttentionKeep keep : {AttentionKeep::kNothing, AttentionKeep::kProbabilities, AttentionKeep::kStatistics}) {
    const AttentionResult r = attention_forward(q, q, q, {}, 0, keep);
    CHECK(r.output.shape() == shape);
    if (keep == AttentionKeep::kProbabilities) CHECK(attention_backward(q, q, q, q, {}, r).dv.shape() == shape);
  }
}
