// What the attention ops keep between forward and backward.
#include <doctest/doctest.h>

#include <limits>

#include "autograd/node.h"
#include "autograd/ops.h"
#include "tensor/ops.h"
#include "tensor/rng.h"

using namespace vitrail;

namespace {

Tensor random(const Shape& shape, uint64_t seed) { return rand_normal(shape, 0, 1, Rng(seed)); }

// The gradient of qkv_attention, with or without an attention map taken.
Tensor gradient(const Tensor& qkv, int64_t heads, const Tensor& dy, Tensor* map) {
  const Variable x(qkv, true);
  qkv_attention(x, heads, {}, 0, map).backward(dy);
  return x.grad();
}

}  // namespace

TEST_CASE("attention without gradients keeps nothing but its output") {
  const int64_t tokens = 256, heads = 4;
  const Variable qkv(random({4, tokens, 3 * heads * 8}, 1), true);
  const int64_t live = memory_stats().live_bytes, output = qkv.numel() / 3 * 4;
  {
    const NoGradGuard no_grad;
    const Variable y = qkv_attention(qkv, heads);
    CHECK(memory_stats().live_bytes - live == output);
  }
  const Variable frozen(qkv.value());
  const Variable y = qkv_attention(frozen, heads);
  CHECK(memory_stats().live_bytes - live == output);
}

TEST_CASE("attention maps are there on request, recorded or not") {
  const Tensor qkv = random({2, 17, 3 * 2 * 8}, 1);
  Tensor recorded, unrecorded;
  qkv_attention(Variable(qkv, true), 2, {}, 0, &recorded);
  {
    const NoGradGuard no_grad;
    qkv_attention(Variable(qkv, true), 2, {}, 0, &unrecorded);
  }
  CHECK(recorded.shape() == Shape{2, 2, 17, 17});
  CHECK(bit_equal(recorded, unrecorded));
}

TEST_CASE("above the limit P is computed again, with the same gradients to the bit") {
  const int64_t tokens = 1500, heads = 4;
  const Tensor qkv = random({1, tokens, 3 * heads * 4}, 1), dy = random({1, tokens, heads * 4}, 2);
  Tensor map;
  CHECK(bit_equal(gradient(qkv, heads, dy, nullptr), gradient(qkv, heads, dy, &map)));
  CHECK(map.shape() == Shape{1, heads, tokens, tokens});
}

TEST_CASE("a mask changed in place between forward and backward is noticed") {
  const Variable qkv(random({1, 5, 12}, 1), true);
  const Tensor mask = zeros({5});
  const Variable y = qkv_attention(qkv, 2, mask);
  fill_(mask, 1);
  CHECK_THROWS_WITH_AS(y.backward(ones(y.shape())), doctest::Contains("changed in place"), Error);
}

TEST_CASE("qkv_attention checks its rank and its heads, also where three times their number overflows") {
  const Variable qkv(random({1, 5, 12}, 1));
  const int64_t high = std::numeric_limits<int64_t>::max();
  for (const int64_t heads : {int64_t{0}, int64_t{-1}, int64_t{3}, int64_t{5}, high, high / 3 + 1, (int64_t{1} << 62) + 1}) {
    CAPTURE(heads);
    CHECK_THROWS_WITH_AS(qkv_attention(qkv, heads), doctest::Contains("[qkv_attention] qkv is [B, N, 3 * heads * K]"), Error);
  }
  CHECK_THROWS_AS(qkv_attention(Variable(random({5, 12}, 1)), 2), Error);
  CHECK(qkv_attention(Variable(zeros({3, 1, 0})), (int64_t{1} << 32) + 1).shape() == Shape{3, 1, 0});  // no loop over the heads
  CHECK(qkv_attention(qkv, 4).shape() == Shape{1, 5, 4});
}
