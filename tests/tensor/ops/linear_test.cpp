// What follows the product of a linear layer, and the packed weights that are kept between calls.
#include "tensor/ops/linear.h"

#include <doctest/doctest.h>

#include <thread>
#include <vector>

#include "tensor/ops.h"
#include "tensor/product/product.h"
#include "tensor/rng.h"
#include "tests/support/kernel_test.h"
#include "tests/support/scratch_folder.h"

using namespace vitrail;
using vitrail::testing::check_same_bits_for_any_threads;
using vitrail::testing::refuses;

namespace {

Tensor random(const Shape& shape, uint64_t seed, Dtype dtype = Dtype::f32) {
  return rand_normal(shape, 0, 1, Rng(seed), dtype);
}

double difference(const Tensor& a, const Tensor& b) { return max(abs(sub(a, b))).item(); }

constexpr LinearOptions kKeep{.keep_packed = true};

}  // namespace

TEST_CASE("linear_gelu is gelu of linear, and writes the slope or the argument on request") {
  for (const Dtype dtype : {Dtype::f32, Dtype::f64}) {
    const double limit = dtype == Dtype::f64 ? 1e-13 : 1e-5;
    const Tensor x = random({2, 65, 40}, 1, dtype), w = random({96, 40}, 2, dtype), b = random({96}, 3, dtype);
    const Tensor h = linear(x, w, b);
    Tensor slope, argument, wanted_slope;
    const Tensor wanted = gelu_with_slope(h, wanted_slope);
    CHECK(difference(linear_gelu(x, w, b, {.slope = &slope}), wanted) < limit);
    CHECK(difference(slope, wanted_slope) < limit);
    CHECK(difference(linear_gelu(x, w, b, {.argument = &argument}), wanted) < limit);
    CHECK(difference(argument, h) < limit);
  }
}

TEST_CASE("linear_add adds gamma times the branch of each sample that is kept") {
  for (const Dtype dtype : {Dtype::f32, Dtype::f64}) {
    const Tensor x = random({3, 65, 40}, 4, dtype), w = random({96, 40}, 5, dtype), b = random({96}, 6, dtype);
    const Tensor residual = random({3, 65, 96}, 7, dtype), gamma = random({96}, 8, dtype);
    const Tensor samples = reshape(to(from_vector(std::vector<double>{0, 2, 1.25}, {3}), dtype), {3, 1, 1});
    const Tensor branch = linear(x, w, b);
    const double limit = dtype == Dtype::f64 ? 1e-13 : 1e-5;
    CHECK(difference(linear_add(x, w, b, residual), residual + branch) < limit);
    CHECK(difference(linear_add(x, w, b, residual, {.gamma = gamma}), residual + branch * gamma) < limit);
    CHECK(difference(linear_add(x, w, b, residual, {.samples = samples}), residual + branch * samples) < limit);
    const Tensor both = linear_add(x, w, b, residual, {gamma, samples});
    CHECK(difference(both, residual + branch * gamma * samples) < limit);
    CHECK(bit_equal(select(both, 0, 0), contiguous(select(residual, 0, 0))));  // the dropped sample
  }
  check_same_bits_for_any_threads([] {
    return std::vector<Tensor>{linear_add(random({5, 65, 40}, 4), random({96, 40}, 5), random({96}, 6), random({5, 65, 96}, 7),
                                          {random({96}, 8), random({5, 1, 1}, 9)})};
  });
}

TEST_CASE("linear_add refuses what does not fit the output, with the shapes") {
  const Tensor x = zeros({2, 3, 4}), w = zeros({5, 4}), residual = zeros({2, 3, 5});
  CHECK(refuses([&] { linear_add(x, w, {}, zeros({2, 3, 4})); }, ErrorKind::kShape, "residual is [2, 3, 4]"));
  CHECK(refuses([&] { linear_add(x, w, {}, residual, {.gamma = zeros({4})}); }, ErrorKind::kShape, "gamma is [4]"));
  CHECK(refuses([&] { linear_add(x, w, {}, residual, {.gamma = zeros({5}, Dtype::f64)}); }, ErrorKind::kShape, "gamma is [5]"));
  for (const Shape& shape : {Shape{3, 1, 1}, Shape{2}, Shape{2, 3, 1}})
    CHECK(refuses([&] { linear_add(x, w, {}, residual, {.samples = zeros(shape)}); }, ErrorKind::kShape,
                  "one factor per index of axis 0"));
}

TEST_CASE("linear_backward_scale gives the gradient of gamma without the layer's output") {
  const Tensor x = random({50, 40}, 1, Dtype::f64), w = random({30, 40}, 2, Dtype::f64), b = random({30}, 3, Dtype::f64);
  const Tensor gamma = random({30}, 4, Dtype::f64), dy = random({50, 30}, 5, Dtype::f64);
  const Tensor g = linear_backward_weight(dy, x), before = clone(g), db = linear_backward_bias(dy);
  CHECK(difference(linear_backward_scale(g, w, b, db, gamma), sum(mul(dy, linear(x, w, b)), {0})) < 1e-12);
  CHECK(difference(g, mul(before, reshape(gamma, {30, 1}))) < 1e-12);
  const Tensor again = clone(before);
  CHECK(difference(linear_backward_scale(again, w, {}, db, gamma), sum(mul(dy, linear(x, w)), {0})) < 1e-12);
  CHECK(refuses([&] { linear_backward_scale(again, w, b, db, zeros({29}, Dtype::f64)); }, ErrorKind::kShape, "gamma is [29]"));
}

TEST_CASE("a kept packed weight has the bits of one packed now, for slices of a weight and both precisions") {
  if (!detail::has_product_kernels()) return;
  const Tensor w = random({192, 96}, 1), b = random({192}, 2), x = random({80, 96}, 3);
  for (const Precision precision : {Precision::kF32, Precision::kBf16}) {
    for (const auto& [first, last] : {std::pair<int64_t, int64_t>{0, 192}, {0, 64}, {64, 192}, {0, 64}, {64, 192}}) {
      const Tensor part = slice(w, 0, first, last), bias = slice(b, 0, first, last);
      const Tensor kept = linear(x, part, bias, {precision, true});
      CHECK(bit_equal(kept, linear(x, part, bias, {precision})));
      CHECK(bit_equal(kept, linear(x, part, bias, {precision, true})));
    }
  }
}

TEST_CASE("packed weights are kept once, dropped by a write and with the weight, and bounded by the weight's size") {
  if (!detail::has_product_kernels()) return;
  const Tensor x = random({20, 96}, 1);
  const int64_t before_all = memory_stats().live_bytes;
  {
    Tensor w = random({160, 96}, 2);
    const int64_t before = memory_stats().live_bytes, weight_bytes = before - before_all;
    const auto kept_bytes = [&] { return memory_stats().live_bytes - before; };
    linear(x, w, {}, {});
    CHECK(kept_bytes() == 0);
    linear(x, w, {}, kKeep);
    CHECK(kept_bytes() > 0);
    const int64_t once = kept_bytes();
    linear(x, w, {}, kKeep);
    CHECK(kept_bytes() == once);
    for (int64_t i = 0; i < 32; ++i) linear(x, slice(w, 0, 2 * i, 2 * i + 96), {}, kKeep);
    CHECK(kept_bytes() <= weight_bytes + weight_bytes / 2);  // panels are filled up
    fill_(slice(w, 0, 0, 1), 0.5);                           // through a view
    CHECK(kept_bytes() == 0);
    CHECK(bit_equal(linear(x, w, {}, kKeep), linear(x, w)));
    linear(random({513, 96}, 3), w, {}, kKeep);  // many rows: what is kept stays, nothing is added
    CHECK(kept_bytes() == once);
  }
  CHECK(memory_stats().live_bytes == before_all);
}

TEST_CASE("a write through a pointer taken before is found where packed weights are checked") {
  if (!detail::has_product_kernels()) return;
  set_packed_weight_checks(true);
  Tensor w = random({96, 80}, 1);
  const Tensor x = random({40, 80}, 2);
  float* early = w.mutable_data<float>();
  linear(x, w, {}, kKeep);
  early[7] = 42;
  CHECK(refuses([&] { linear(x, w, {}, kKeep); }, ErrorKind::kValue, "written through a pointer taken before its last use"));
  w.mutable_data<float>()[7] = 43;  // announced
  CHECK(bit_equal(linear(x, w, {}, kKeep), linear(x, w)));
#if !defined(_GLIBCXX_ASSERTIONS)
  set_packed_weight_checks(false);
#endif
}

TEST_CASE("threads that use one weight at once get the same bits") {
  const Tensor w = random({192, 96}, 1), x = random({40, 96}, 2), wanted = linear(x, w);
  std::vector<std::thread> threads;
  std::vector<int> same(4);
  for (size_t t = 0; t < same.size(); ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 20; ++i) same[t] += bit_equal(linear(x, w, {}, kKeep), wanted);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const int count : same) CHECK(count == 20);
}
