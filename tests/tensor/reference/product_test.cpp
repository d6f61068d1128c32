// Products, attention and convolution: the fast form against the plain one.
#include "tensor/ops.h"
#include "tensor/ops/rounding.h"
#include "tests/support/plain_test.h"

namespace vitrail {
namespace {

using testing::check_plain;
using testing::Draws;
using testing::float_dtype;
using testing::strided_tensor;

Tensor random_normal(const Shape& shape, uint64_t seed) { return testing::random_tensor(shape, Dtype::f32, seed); }

TEST_CASE("matmul equals its plain form over random shapes, strides and broadcast batches") {
  for (uint64_t seed = 0; seed < 60; ++seed) {
    CAPTURE(seed);
    Draws draw{Rng(seed, 1)};
    Shape a, b;
    for (int64_t i = draw(0, 2); i > 0; --i) {
      const int64_t extent = draw(0, 5);
      a.push_back(draw(0, 2) == 0 ? 1 : extent), b.push_back(draw(0, 2) == 0 ? 1 : extent);
    }
    const int64_t depth = draw(0, 40);
    a.push_back(draw(1, 30)), a.push_back(depth), b.push_back(depth), b.push_back(draw(1, 30));
    if (draw(0, 4) == 0) b = {depth, draw(1, 30)};
    const Tensor x = strided_tensor(a, float_dtype(seed), seed), y = strided_tensor(b, float_dtype(seed), seed + 500);
    check_plain(PlainOp::kMatmul, [&] { return std::vector<Tensor>{matmul(x, y)}; });
  }
}

TEST_CASE("a linear layer and its gradients equal their plain forms") {
  for (uint64_t seed = 0; seed < 40; ++seed) {
    CAPTURE(seed);
    Draws draw{Rng(seed, 2)};
    const Dtype dtype = float_dtype(seed);
    const int64_t inputs = draw(1, 40), outputs = draw(1, 40);
    Shape in{draw(0, 6), draw(1, 9), inputs}, out = in;
    out.back() = outputs;
    const Tensor x = strided_tensor(in, dtype, seed), w = strided_tensor({outputs, inputs}, dtype, seed + 1),
                 b = draw(0, 1) ? strided_tensor({outputs}, dtype, seed + 2) : Tensor(),
                 dy = strided_tensor(out, dtype, seed + 3), more = strided_tensor(out, dtype, seed + 4),
                 slope = contiguous(strided_tensor(in, dtype, seed + 5));
    check_plain(PlainOp::kLinear, [&] {
      Tensor gelu_slope, argument, sum = clone(w);
      const Tensor y = linear_gelu(x, w, b, {.slope = &gelu_slope});
      linear_gelu(x, w, b, {.argument = &argument});
      linear_backward_weight_into(dy, x, sum);
      return std::vector<Tensor>{linear(x, w, b),
                                 linear_add(x, w, b, more),
                                 y,
                                 gelu_slope,
                                 argument,
                                 sum,
                                 linear_backward_input(dy, w),
                                 linear_backward_input(dy, w, Precision::kF32, &slope),
                                 linear_backward_weight(dy, x),
                                 linear_backward_bias(dy)};
    });
  }
}

TEST_CASE("linear layers in bf16 equal their plain forms up to the rounding of their results") {
  const Tensor x = strided_tensor({2, 70, 64}, Dtype::f32, 1), w = random_normal({96, 64}, 2), b = random_normal({96}, 3),
               slope = round_to_bf16(random_normal({2, 70, 64}, 4)), dy = random_normal({2, 70, 96}, 5);
  const Precision bf16 = Precision::kBf16;
  if (!rounds_operands(x, 96, bf16)) {  // no kernel of this processor rounds: then bf16 products are the f32 products
    CHECK(to_vector<float>(linear(x, w, b, {bf16})) == to_vector<float>(linear(x, w, b)));
    return;
  }
  check_plain(PlainOp::kLinear, [&] {  // the sums are f32: nothing but their order differs
    return std::vector<Tensor>{linear(x, w, b, {bf16}), linear(round_to_bf16(x), w, b, {bf16}),
                               linear_backward_input(dy, w, bf16),
                               linear_backward_weight(round_to_bf16(dy), round_to_bf16(x), bf16)};
  });
  check_plain(
      PlainOp::kLinear,
      [&] {
        Tensor kept;
        const Tensor y = linear_gelu_rounded(x, w, b, &kept);
        return std::vector<Tensor>{widen_bf16(linear_rounded(x, w, b)), widen_bf16(y), widen_bf16(kept),
                                   widen_bf16(linear_backward_input_rounded(dy, w, slope))};
      },
      1.0 / 256);  // one step of bf16
}

TEST_CASE("with gelu named, the GELU of a linear layer is plain too") {
  const Tensor x = random_normal({5, 8}, 1), w = random_normal({12, 8}, 2);
  const PlainGuard guard("gelu");
  linear_gelu(x, w, {});
  CHECK(guard.runs(PlainOp::kGelu) > 0);
  CHECK(guard.runs(PlainOp::kLinear) == 0);
}

// Masks of all kinds: none, u8 with a row that forbids everything, added, broadcast over heads.
Tensor random_mask(int64_t kind, int64_t batch, int64_t heads, int64_t queries, int64_t keys, Dtype dtype, uint64_t seed) {
  if (kind == 0) return {};
  if (kind == 1) return strided_tensor({batch, heads, queries, keys}, dtype, seed);
  if (kind == 2) return strided_tensor({queries, keys}, dtype, seed);
  Tensor allowed = greater(random_normal({batch, 1, queries, keys}, seed), scalar(-0.5));
  zero_(select(allowed, 2, 0));
  return allowed;
}

TEST_CASE("attention and its gradients equal their plain forms") {
  for (uint64_t seed = 0; seed < 40; ++seed) {
    CAPTURE(seed);
    Draws draw{Rng(seed, 3)};
    const Dtype dtype = float_dtype(seed);
    const int64_t b = draw(0, 2), h = draw(1, 3), n = draw(1, 40), m = draw(1, 40), k = draw(1, 20), kv = draw(1, 20);
    const Tensor q = strided_tensor({b, h, n, k}, dtype, seed), keys = strided_tensor({b, h, m, k}, dtype, seed + 1),
                 v = strided_tensor({b, h, m, kv}, dtype, seed + 2), dy = strided_tensor({b, h, n, kv}, dtype, seed + 3),
                 mask = random_mask(draw(0, 3), b, h, n, m, dtype, seed + 4);
    check_plain(PlainOp::kAttention, [&] {
      const AttentionResult r = attention_forward(q, keys, v, mask, 0.3, AttentionKeep::kProbabilities);
      const AttentionGradients d = attention_backward(dy, q, keys, v, mask, r, 0.3, /*with_scores=*/true);
      return std::vector<Tensor>{r.output, r.probabilities, d.dq, d.dk, d.dv, d.dscores};
    });
  }
}

TEST_CASE("the gradient of plain attention follows a fast forward pass, and the other way round") {
  const Tensor q = random_normal({1, 2, 20, 8}, 1), k = random_normal({1, 2, 30, 8}, 2), v = random_normal({1, 2, 30, 8}, 3),
               dy = random_normal({1, 2, 20, 8}, 4);
  const auto forward = [&] { return attention_forward(q, k, v, {}, 0, AttentionKeep::kStatistics); };
  const auto backward = [&](const AttentionResult& r) { return attention_backward(dy, q, k, v, {}, r).dq; };
  const AttentionResult fast = forward();
  const Tensor expected = backward(fast);
  const auto plain = [&](auto&& fn) {
    const PlainGuard guard("attention");
    return fn();
  };
  const Tensor mixed = plain([&] { return backward(fast); }), other = backward(plain(forward));
  CHECK(testing::max_difference(mixed, to_vector<double>(expected)) < 1e-5);
  CHECK(testing::max_difference(other, to_vector<double>(expected)) < 1e-5);
}

TEST_CASE("attention in bf16 equals its plain form up to the rounding of its operands") {
  const Precision bf16 = Precision::kBf16;
  const auto part = [](uint64_t seed) { return random_normal({2, 2, 33, 16}, seed); };
  const Tensor q = part(1), k = part(2), v = part(3), dy = part(4);
  const auto run = [&](const Tensor& a, const Tensor& b, const Tensor& c) {
    const AttentionResult r = attention_forward(a, b, c, {}, 0, AttentionKeep::kProbabilities, bf16);
    const AttentionGradients d = attention_backward(dy, a, b, c, {}, r, 0, false, bf16);
    return std::vector<Tensor>{to(r.output, Dtype::f32), to(d.dq, Dtype::f32), to(d.dk, Dtype::f32), to(d.dv, Dtype::f32)};
  };
  if (!attention_takes_rounded(bf16)) return;
  check_plain(
      PlainOp::kAttention, [&] { return run(q, k, v); }, 0.01);
}

Conv2dOptions random_conv(Draws& draw) {
  return {.stride_h = draw(1, 3),
          .stride_w = draw(1, 3),
          .padding_h = draw(0, 2),
          .padding_w = draw(0, 2),
          .dilation_h = draw(1, 2),
          .dilation_w = draw(1, 2),
          .groups = draw(1, 3)};
}

TEST_CASE("conv2d and its gradients equal their plain forms") {
  for (uint64_t seed = 0; seed < 40; ++seed) {
    CAPTURE(seed);
    Draws draw{Rng(seed, 4)};
    const Dtype dtype = float_dtype(seed);
    const Conv2dOptions o = random_conv(draw);
    const Shape shape{draw(0, 3), o.groups * draw(1, 3), draw(6, 12), draw(6, 12)},
        kernel{o.groups * draw(1, 3), shape[1] / o.groups, draw(1, 3), draw(1, 3)};
    const Tensor x = strided_tensor(shape, dtype, seed), w = strided_tensor(kernel, dtype, seed + 1),
                 b = draw(0, 1) ? strided_tensor({kernel[0]}, dtype, seed + 2) : Tensor();
    const Tensor dy = strided_tensor(conv2d(x, w, b, o).shape(), dtype, seed + 3);
    check_plain(PlainOp::kConv2d, [&] {
      return std::vector<Tensor>{conv2d(x, w, b, o), conv2d_backward_input(dy, w, shape, o),
                                 conv2d_backward_weight(dy, x, kernel, o), conv2d_backward_bias(dy)};
    });
  }
}

}  // namespace
}  // namespace vitrail
