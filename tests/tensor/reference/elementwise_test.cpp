// Elementwise functions, GELU, pooling, copies and rounding: the fast form against the plain one.
#include "tensor/ops.h"
#include "tensor/ops/rounding.h"
#include "tests/support/plain_test.h"

namespace vitrail {
namespace {

using testing::check_plain;
using testing::Draws;
using testing::float_dtype;
using testing::max_difference;
using testing::random_tensor;
using testing::strided_tensor;

// Two shapes that broadcast.
std::pair<Shape, Shape> random_shapes(Draws& draw) {
  Shape a, b;
  for (int64_t i = draw(0, 4); i > 0; --i) {
    const int64_t extent = draw(0, 9) == 0 ? 0 : draw(1, 12), kind = draw(0, 4);
    a.push_back(kind == 0 ? 1 : extent), b.push_back(kind == 1 ? 1 : extent);
  }
  while (!b.empty() && draw(0, 2) == 0) b.erase(0);
  return {a, b};
}

TEST_CASE("functions of two tensors equal their plain forms over random shapes, strides and broadcasts") {
  for (uint64_t seed = 0; seed < 80; ++seed) {
    CAPTURE(seed);
    Draws draw{Rng(seed, 1)};
    const auto [m, n] = random_shapes(draw);
    const Tensor a = strided_tensor(m, float_dtype(seed), seed), b = strided_tensor(n, float_dtype(seed), seed + 100);
    const Tensor i = to(a * 100, Dtype::i64), j = to(b * 100, Dtype::i64) + 1000, mask = greater(b, scalar(0, b.dtype()));
    check_plain(PlainOp::kElementwise, [&] {
      return std::vector<Tensor>{
          add(a, b),       sub(i, j),         mul(a, b),     div(a, b + 9), div(i, j),
          pow(abs(a), b),  pow(i, j / 999),   maximum(a, b), minimum(i, j), less(a, b),
          not_equal(i, j), where(mask, a, b), a * 2.5,       rsub(1, i),    logical_or(less(a, b), mask)};
    });
  }
}

TEST_CASE("functions of one tensor equal their plain forms over random shapes and strides") {
  for (uint64_t seed = 0; seed < 40; ++seed) {
    CAPTURE(seed);
    Draws draw{Rng(seed, 2)};
    const Tensor x = strided_tensor(random_shapes(draw).first, float_dtype(seed), seed) * 4, positive = abs(x) + 0.01;
    check_plain(PlainOp::kElementwise, [&] {
      return std::vector<Tensor>{
          neg(x), abs(x), sign(x), square(x), exp(x),   log(positive), sqrt(positive), rsqrt(positive), reciprocal(positive),
          sin(x), cos(x), tanh(x), erf(x),    floor(x), ceil(x),       round(x)};
    });
    check_plain(PlainOp::kElementwise, [&] {
      return std::vector<Tensor>{sigmoid(x),
                                 softplus(x),
                                 relu(x),
                                 leaky_relu(x),
                                 elu(x),
                                 silu(x),
                                 clamp(x, -1, 2),
                                 clamp(to(x, Dtype::i64), -1, 2),
                                 isfinite(x / 0),
                                 isnan(x),
                                 logical_not(isnan(x))};
    });
  }
}

TEST_CASE("plain functions treat NaN and infinity as the fast ones do") {
  for (const Dtype dtype : {Dtype::f32, Dtype::f64}) {
    const Tensor x = to(from_vector(std::vector<double>{NAN, INFINITY, -INFINITY, 0, -0.0, 1e-40, 1e30, -1e30}, {8}), dtype);
    check_plain(PlainOp::kElementwise, [&] {
      return std::vector<Tensor>{exp(x),
                                 tanh(x),
                                 erf(x),
                                 sigmoid(x),
                                 softplus(x),
                                 relu(x),
                                 elu(x),
                                 silu(x),
                                 sign(x),
                                 log(abs(x)),
                                 maximum(x, scalar(1, dtype)),
                                 minimum(x, scalar(1, dtype)),
                                 clamp(x, -2, 2)};
    });
    for (const Gelu kind : {Gelu::kExact, Gelu::kTanh, Gelu::kQuick}) {
      check_plain(PlainOp::kGelu, [&] { return std::vector<Tensor>{gelu(x, kind), gelu_backward(ones_like(x), x, kind)}; });
    }
  }
}

TEST_CASE("all forms of GELU and their derivatives equal their plain forms") {
  for (uint64_t seed = 0; seed < 12; ++seed) {
    const Tensor x = strided_tensor({7, 9}, float_dtype(seed), seed) * 4,
                 dy = strided_tensor({7, 9}, float_dtype(seed), seed + 1);
    check_plain(PlainOp::kGelu, [&] {
      std::vector<Tensor> all;
      for (const Gelu kind : {Gelu::kExact, Gelu::kTanh, Gelu::kQuick}) {
        all.push_back(gelu(x, kind)), all.push_back(gelu_backward(dy, x, kind));
      }
      Tensor slope;
      all.push_back(gelu_with_slope(x, slope)), all.push_back(slope);
      return all;
    });
  }
}

TEST_CASE("pooling and its gradients equal their plain forms for random options") {
  for (uint64_t seed = 0; seed < 60; ++seed) {
    CAPTURE(seed);
    Draws draw{Rng(seed, 3)};
    Pool2dOptions o{.kernel_h = draw(1, 4), .kernel_w = draw(1, 4), .stride_h = draw(1, 3), .stride_w = draw(1, 3)};
    o.padding_h = draw(0, o.kernel_h / 2), o.padding_w = draw(0, o.kernel_w / 2);
    o.ceil_mode = draw(0, 1), o.count_include_pad = draw(0, 1);
    const Dtype dtype = float_dtype(seed);
    const Shape shape{draw(0, 2), draw(1, 3), draw(4, 9), draw(4, 9)};
    const Tensor x = strided_tensor(shape, dtype, seed);
    const int64_t cells_h = draw(1, 10), cells_w = draw(1, 10);
    const Tensor dy = strided_tensor(avg_pool2d(x, o).shape(), dtype, seed + 1),
                 dc = strided_tensor({shape[0], shape[1], cells_h, cells_w}, dtype, seed + 2);
    check_plain(PlainOp::kPool, [&] {
      return std::vector<Tensor>{avg_pool2d(x, o), avg_pool2d_backward(dy, shape, o), adaptive_avg_pool2d(x, cells_h, cells_w),
                                 adaptive_avg_pool2d_backward(dc, shape)};
    });
    o.dilation_h = draw(1, 2), o.dilation_w = draw(1, 1);
    if (o.dilation_h * (o.kernel_h - 1) >= shape[2] + 2 * o.padding_h) continue;
    check_plain(PlainOp::kPool, [&] {
      const auto [y, place] = max_pool2d_forward(x, o);
      return std::vector<Tensor>{y, place, max_pool2d_backward(y, place, shape)};
    });
  }
}

TEST_CASE("copies between strides and dtypes equal their plain form to the bit") {
  for (uint64_t seed = 0; seed < 40; ++seed) {
    CAPTURE(seed);
    Draws draw{Rng(seed, 4)};
    const auto [m, n] = random_shapes(draw);
    const Tensor x = strided_tensor(broadcast_shapes(m, n, "test"), float_dtype(seed), seed) * 100;
    const auto all = [&] {
      Tensor sum = clone(x), twice = zeros(x.shape(), Dtype::i64);
      add_(sum, x, 0.5);
      copy_(x.dim() > 1 ? transpose(twice, 0, 1) : twice, x.dim() > 1 ? transpose(x, 0, 1) : x);
      return std::vector<Tensor>{clone(x), to(x, Dtype::u8), to(x, Dtype::i64), to(x, Dtype::f32), sum, twice};
    };
    const std::vector<Tensor> fast = all();
    const PlainGuard guard("copy");
    const std::vector<Tensor> plain = all();
    CHECK(guard.runs(PlainOp::kCopy) > 0);
    for (size_t i = 0; i < fast.size(); ++i) CHECK(max_difference(fast[i], to_vector<double>(plain[i])) <= (i == 4 ? 1e-4 : 0));
  }
}

TEST_CASE("rounding to bf16 and back equals its plain form to the bit, ties and NaN included") {
  std::vector<float> values = {0, -0.0f, 1, 1.00390625f, 1.01171875f, 3.4e38f, -3.4e38f, INFINITY, -INFINITY, NAN};
  for (const float x : to_vector<float>(random_tensor({90}, Dtype::f32, 1))) values.push_back(x);
  const Tensor x = from_vector(values, {10, 10}), dense = transpose(clone(transpose(x)));
  const auto all = [&] {
    Tensor sums;
    const Tensor rounded = round_to_bf16(dense, &sums);
    return std::vector<Tensor>{rounded, widen_bf16(rounded)};
  };
  const std::vector<Tensor> fast = all();
  {
    const PlainGuard guard("round_to_bf16");
    const std::vector<Tensor> plain = all();
    CHECK(guard.runs(PlainOp::kRounding) == 2);
    CHECK(bit_equal(fast[0], plain[0]));
    CHECK(bit_equal(fast[1], plain[1]));
  }
  check_plain(PlainOp::kRounding, [&] {
    Tensor sums;
    round_to_bf16(random_tensor({70, 10}, Dtype::f32, 2), &sums);
    return std::vector<Tensor>{sums};
  });
}

}  // namespace
}  // namespace vitrail
