// bf16 products in the graph: how far they may be off, and that forward and backward agree on the precision.
#include <doctest/doctest.h>

#include <cmath>
#include <string>

#include "autograd/ops.h"
#include "autograd/ops/fused.h"
#include "tensor/ops.h"
#include "tensor/rng.h"

using namespace vitrail;

namespace {

struct Step {
  Tensor y, dx, dw, db;
};

// A linear layer of a small ViT forward and backward; the guard is gone before the backward pass begins.
Step run(Precision precision, Dtype dtype = Dtype::f32) {
  const Variable x(rand_normal({2, 65, 192}, 0, 1, Rng(1), dtype), true),
      w(rand_normal({384, 192}, 0, 0.1, Rng(2), dtype), true);
  const Variable b(rand_normal({384}, 0, 1, Rng(3), dtype), true);
  Variable y;
  {
    const PrecisionGuard guard(precision);
    y = linear(x, w, b);
  }
  y.backward(rand_normal({2, 65, 384}, 0, 1, Rng(4), dtype));
  return {y.value(), x.grad(), w.grad(), b.grad()};
}

double relative_l2(const Tensor& a, const Tensor& b) {
  const Tensor wide = to(b, Dtype::f64);
  return std::sqrt(sum(square(sub(to(a, Dtype::f64), wide))).item() / sum(square(wide)).item());
}

}  // namespace

TEST_CASE("bf16 products are off by a quarter of a percent, forward and backward") {
  const Step exact = run(Precision::kF32), half = run(Precision::kBf16);
  // Where no kernel rounds (64-bit ARM), kBf16 is a wish that f32 products fulfil exactly.
  const bool rounds = rounds_operands(zeros({2, 65, 192}), 384, Precision::kBf16);
  for (const auto& [a, b] : {std::pair{half.y, exact.y}, {half.dx, exact.dx}, {half.dw, exact.dw}}) {
    CHECK(relative_l2(a, b) < 4e-3);
    CHECK((relative_l2(a, b) > 1e-4) == rounds);  // each of the three products was rounded
  }
  CHECK(relative_l2(half.db, exact.db) < 1e-6);  // a sum, not a product
}

TEST_CASE("bf16: the branch of a block, its norm and hidden layer rounded in memory, is off by no more than its products") {
  const Shape shapes[] = {{2, 65, 96}, {96}, {96}, {384, 96}, {384}, {96, 384}, {96}};
  const auto gradients = [&](Precision precision) {
    std::vector<Variable> in;
    uint64_t seed = 10;
    for (const Shape& shape : shapes) in.emplace_back(rand_normal(shape, 0, shape.size() == 2 ? 0.1 : 1, Rng(++seed)), true);
    const PrecisionGuard guard(precision);
    const Variable norm = layer_norm(in[0], in[1], in[2], 1e-6, precision == Precision::kBf16);
    const Variable y = mlp(norm, in[3], in[4], in[5], in[6], in[0]);
    y.backward(rand_normal({2, 65, 96}, 0, 1, Rng(5)));
    std::vector<Tensor> result{y.value()};
    for (const Variable& v : in) result.push_back(v.grad());
    return result;
  };
  const std::vector<Tensor> exact = gradients(Precision::kF32), half = gradients(Precision::kBf16);
  for (size_t i = 0; i < exact.size(); ++i) {
    CAPTURE(i);
    CHECK(relative_l2(half[i], exact[i]) < 6e-3);
    CHECK(half[i].dtype() == Dtype::f32);
  }
  CHECK(relative_l2(half.back(), exact.back()) < 1e-6);  // db2, a sum of what was never rounded
}

TEST_CASE("f64 is never rounded to bf16") {
  CHECK(bit_equal(run(Precision::kBf16, Dtype::f64).y, run(Precision::kF32, Dtype::f64).y));
}

TEST_CASE("a precision lasts as long as its guard, and names are checked") {
  CHECK(product_precision() == Precision::kF32);
  {
    const PrecisionGuard outer(Precision::kBf16);
    const PrecisionGuard inner(precision_from_name("f32"));
    CHECK(product_precision() == Precision::kF32);
  }
  CHECK(product_precision() == Precision::kF32);
  CHECK(std::string(precision_name(precision_from_name("bf16"))) == "bf16");
  CHECK_THROWS_WITH_AS(precision_from_name("fp8"), doctest::Contains("\"fp8\". Hint: f32 or bf16"), Error);
}

TEST_CASE("a weight's second gradient is added in place, unless somebody else holds the first") {
  const Variable w(rand_normal({16, 8}, 0, 1, Rng(5)), true);
  const auto pass = [&](uint64_t seed) { sum(linear(rand_normal({4, 8}, 0, 1, Rng(seed)), w)).backward(); };
  pass(6);
  const void* memory = w.grad().storage()->data();
  const Tensor first = clone(w.grad());
  pass(7);
  CHECK(w.grad().storage()->data() == memory);
  const Tensor held = w.grad(), before = clone(held);
  pass(8);
  CHECK(bit_equal(held, before));
  CHECK(w.grad().storage()->data() != memory);
  const Variable fresh(w.value(), true);
  for (const uint64_t seed : {6, 7, 8}) sum(linear(rand_normal({4, 8}, 0, 1, Rng(seed)), fresh)).backward();
  CHECK(max(abs(sub(fresh.grad(), w.grad()))).item() < 1e-5);
  CHECK(max(abs(sub(first, w.grad()))).item() > 1e-2);
}
