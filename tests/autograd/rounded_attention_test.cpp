// In bf16, q, k, v, their gradient and the heads' results may be stored in bf16: only products read them.
#include <doctest/doctest.h>

#include "autograd/node.h"
#include "autograd/ops.h"
#include "autograd/ops/fused.h"
#include "tensor/ops.h"
#include "tensor/ops/attention.h"
#include "tensor/rng.h"
#include "tests/support/kernel_test.h"
#include "tests/support/scratch_folder.h"

using namespace vitrail;
using vitrail::testing::check_same_bits_for_any_threads;
using vitrail::testing::refuses;

namespace {

constexpr int64_t kTokens = 65, kHeads = 3, kWidth = 96;
constexpr size_t kBias = 5;  // of the qkv layer, in what block() returns

bool skipped() {
  if (attention_takes_rounded(Precision::kBf16)) return false;
  MESSAGE("skipped: this build has the plain form only");
  return true;
}

Variable qkv_layer(const Variable& x, const Variable& weight, const Variable& bias, bool rounded) {
  return rounded ? linear_rounded(x, weight, bias) : linear(x, weight, bias);
}

// A block of a ViT: y and the gradients of x, norm1, qkv, proj, norm2, fc1, fc2 (weights and biases).
std::vector<Tensor> block(bool rounded, int64_t tokens = kTokens, Tensor* map = nullptr) {
  const Shape shapes[] = {{2, tokens, kWidth},
                          {kWidth},
                          {kWidth},
                          {3 * kWidth, kWidth},
                          {3 * kWidth},
                          {kWidth, kWidth},
                          {kWidth},
                          {kWidth},
                          {kWidth},
                          {4 * kWidth, kWidth},
                          {4 * kWidth},
                          {kWidth, 4 * kWidth},
                          {kWidth}};
  std::vector<Variable> p;
  for (const Shape& shape : shapes)
    p.emplace_back(rand_normal(shape, 0, shape.size() == 2 ? 0.1 : 1, Rng(10 + p.size())), true);
  const PrecisionGuard guard(Precision::kBf16);
  const Variable qkv = qkv_layer(layer_norm(p[0], p[1], p[2], 1e-6, true), p[3], p[4], rounded);
  CHECK(qkv.dtype() == (rounded ? Dtype::bf16 : Dtype::f32));
  const Variable heads = qkv_attention(qkv, kHeads, {}, 0, map);
  CHECK(heads.dtype() == qkv.dtype());
  const Variable x = linear_add(heads, p[5], p[6], p[0]);
  const Variable y = mlp(layer_norm(x, p[7], p[8], 1e-6, true), p[9], p[10], p[11], p[12], x);
  y.backward(rand_normal(y.shape(), 0, 1, Rng(5)));
  std::vector<Tensor> result{y.value()};
  for (const Variable& v : p) result.push_back(v.grad());
  return result;
}

}  // namespace

TEST_CASE("a block that keeps q, k, v rounded has the bits of one that does not, but for the bias of qkv") {
  if (skipped()) return;
  for (const int64_t tokens : {int64_t{17}, kTokens, int64_t{197}}) {
    CAPTURE(tokens);
    Tensor map, wanted_map;
    const std::vector<Tensor> found = block(true, tokens), wanted = block(false, tokens);
    for (size_t i = 0; i < found.size(); ++i) {
      CAPTURE(i);
      CHECK(found[i].dtype() == Dtype::f32);
      if (i != kBias) CHECK(bit_equal(found[i], wanted[i]));
    }
    // A sum of rounded numbers instead of the sum before rounding.
    CHECK(max(abs(sub(found[kBias], wanted[kBias]))).item() < 0.01 * max(abs(wanted[kBias])).item());
    const std::vector<Tensor> seen = block(true, tokens, &map);
    block(false, tokens, &wanted_map);
    CHECK(bit_equal(map, wanted_map));
    for (size_t i = 0; i < found.size(); ++i) CHECK(bit_equal(seen[i], found[i]));
  }
  check_same_bits_for_any_threads([] { return block(true); });
}

TEST_CASE("a mask's gradient, and a gradient that arrives rounded, with rounded q, k, v") {
  if (skipped()) return;
  const auto gradients = [](bool rounded, bool whole) {
    const Variable x(rand_normal({2, kTokens, kWidth}, 0, 1, Rng(1)), true), mask(rand_normal({kTokens}, 0, 1, Rng(2)), true);
    const Variable w(rand_normal({3 * kWidth, kWidth}, 0, 0.1, Rng(3)), true),
        proj(rand_normal({kWidth, kWidth}, 0, 0.1, Rng(4)), true);
    const PrecisionGuard guard(Precision::kBf16);
    const Variable heads = qkv_attention(qkv_layer(x, w, {}, rounded), kHeads, mask);
    const Variable y = whole ? linear(heads, proj) : heads;
    const Tensor dy = to(rand_normal(y.shape(), 0, 1, Rng(5)), Dtype::bf16);
    y.backward(to(dy, y.dtype()));
    return std::vector<Tensor>{x.grad(), w.grad(), mask.grad()};
  };
  for (const bool whole : {true, false}) {
    const std::vector<Tensor> found = gradients(true, whole), wanted = gradients(false, whole);
    for (size_t i = 0; i < found.size(); ++i) CHECK(bit_equal(found[i], wanted[i]));
  }
}

TEST_CASE("rounded q, k, v are for one reader, and only where products round") {
  const Variable x(rand_normal({2, kTokens, kWidth}, 0, 1, Rng(1)), true);
  const Variable w(rand_normal({3 * kWidth, kWidth}, 0, 0.1, Rng(2)), true);
  CHECK(refuses([&] { linear_rounded(x, w); }, ErrorKind::kValue, "precision is f32"));
  if (skipped()) return;
  const PrecisionGuard guard(Precision::kBf16);
  CHECK(refuses([&] { linear_rounded(slice(x, 1, 0, 1), w); }, ErrorKind::kValue, "ask rounds_operands() first"));
  const Variable qkv = linear_rounded(x, w);
  const auto summed = [&] {
    const Variable a = qkv_attention(qkv, kHeads), b = qkv_attention(qkv, kHeads);
    const Variable proj(rand_normal({kWidth, kWidth}, 0, 0.1, Rng(3)), true);
    sum(linear(a, proj) + linear(b, proj)).backward();
  };
  CHECK(refuses(summed, ErrorKind::kValue, "dtype is bf16"));  // two gradients of qkv cannot be added up
}

TEST_CASE("anomaly mode looks into rounded results") {
  if (skipped()) return;
  const Variable x(rand_normal({2, kTokens, kWidth}, 0, 1, Rng(1)), true);
  const Variable w(full({3 * kWidth, kWidth}, NAN), true);
  const PrecisionGuard guard(Precision::kBf16);
  const AnomalyGuard anomaly;
  CHECK(refuses([&] { linear_rounded(x, w); }, ErrorKind::kNumeric, "linear"));
}
