#include "train/optim/clip.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "tensor/machine/parallel.h"
#include "tensor/rng.h"
#include "tests/support/tiny_module.h"

using namespace vitrail;
using vitrail::testing::TinyModule;

TEST_CASE("gradients above the limit are scaled to it, all by the same factor") {
  TinyModule module;
  module.set_grads({3, 0, 4, 0}, 0);
  CHECK(clip_grad_norm(module, 1) == doctest::Approx(5));
  CHECK(to_vector<double>(module.weight.grad())[0] == doctest::Approx(0.6));
  CHECK(to_vector<double>(module.weight.grad())[2] == doctest::Approx(0.8));
  CHECK(grad_norm(module) == doctest::Approx(1));
}

TEST_CASE("gradients below the limit keep their bits") {
  TinyModule module;
  module.set_grads({0.3, 0, 0.4, 0}, 0);
  const Tensor before = clone(module.weight.grad());
  CHECK(clip_grad_norm(module, 1) == doctest::Approx(0.5));
  CHECK(bit_equal(module.weight.grad(), before));
}

TEST_CASE("two parameters that share one gradient are not scaled twice") {
  TinyModule module({1, 2});
  module.weight.set_value(zeros({2}, Dtype::f64));
  const Tensor shared = full({2}, 3.0, Dtype::f64);
  module.weight.set_grad(shared);
  module.bias.set_grad(shared);
  clip_grad_norm(module, 3);  // the norm is 6
  CHECK(module.weight.grad().at({0}) == doctest::Approx(1.5));
  CHECK(module.bias.grad().at({0}) == doctest::Approx(1.5));
  CHECK(shared.at({0}) == 3);
}

TEST_CASE("a norm that is not finite changes nothing and is reported") {
  for (double bad : {std::nan(""), std::numeric_limits<double>::infinity()}) {
    TinyModule module;
    module.set_grads({1, bad, 1, 1}, 1);
    const double norm = clip_grad_norm(module, 1);
    CHECK(!std::isfinite(norm));
    CHECK(module.weight.grad().at({0, 0}) == 1);
    CHECK_THROWS_WITH_AS(check_finite(0.5, norm, 12), doctest::Contains("gradient norm is not finite at step 12: loss is 0.5"),
                         Error);
  }
  CHECK_THROWS_WITH_AS(check_finite(std::nan(""), 1, 3), doctest::Contains("loss is not finite at step 3"), Error);
  // A NaN with its sign bit set reads like any other.
  CHECK_THROWS_WITH_AS(check_finite(std::copysign(std::nan(""), -1), 1, 3), doctest::Contains("loss is nan"), Error);
  CHECK_THROWS_WITH_AS(check_finite(1, std::copysign(std::nan(""), -1), 3), doctest::Contains("norm is nan"), Error);
  CHECK_NOTHROW(check_finite(1, 1, 3));
}

TEST_CASE("the norm of f32 gradients is accurate where f32 squares overflow, and the same for any number of threads") {
  TinyModule module({1, 1}, Dtype::f32);
  module.set_grads({3e30, 4e30}, 0);
  CHECK(grad_norm(module) == doctest::Approx(5e30));
  const int before = num_threads();
  TinyModule large(std::vector<double>(100000, 0.0), Dtype::f32);
  large.weight.set_grad(rand_normal({100000, 1}, 0, 1, Rng(5)));
  set_num_threads(1);
  const double one = grad_norm(large);
  set_num_threads(4);
  CHECK(grad_norm(large) == one);
  set_num_threads(before);
}

TEST_CASE("clipping by value holds each element") {
  TinyModule module;
  module.set_grads({3, -0.5, -7, 0}, 0);
  clip_grad_value(module, 1);
  CHECK(to_vector<double>(module.weight.grad()) == std::vector<double>{1, -0.5, -1, 0});
  CHECK_THROWS_WITH_AS(clip_grad_value(module, 0), doctest::Contains("limit must be above 0"), Error);
}

TEST_CASE("clip_scale is 1 below the limit, and where clipping is off") {
  CHECK(clip_scale(5, 1) == doctest::Approx(0.2));
  CHECK(clip_scale(0.5, 1) == 1);
  CHECK(clip_scale(5, 0) == 1);
  CHECK(clip_scale(std::nan(""), 1) == 1);
}
