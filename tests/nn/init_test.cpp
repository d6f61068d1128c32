#include <doctest/doctest.h>

#include <cmath>

#include "nn/init.h"
#include "tensor/machine/parallel.h"
#include "tensor/ops.h"
#include "tests/support/model_test.h"

namespace vitrail::testing {
namespace {

double deviation(const Tensor& x) { return std::sqrt(var(x).item()); }

TEST_CASE("the truncated normal is redrawn, not clamped") {
  Rng rng(1);
  const Tensor x = nn::trunc_normal({200, 500}, 0.02, rng);
  CHECK(max(abs(x)).item() <= 0.04);
  CHECK(deviation(x) == doctest::Approx(0.02 * 0.8796).epsilon(0.01).scale(0));
  const double at_the_end = sum(to(greater_equal(abs(x), full({}, 0.04 * 0.9999)), Dtype::f32)).item();
  CHECK(at_the_end < 20);  // clamping would leave 4500 there
}

TEST_CASE("the spread of every scheme follows its fans") {
  Rng rng(1);
  const Shape shape = {300, 50, 2, 2};  // fan in 200, fan out 1200
  CHECK(nn::fan_in(shape) == 200);
  CHECK(nn::fan_out(shape) == 1200);
  CHECK(deviation(nn::xavier_uniform(shape, rng)) == doctest::Approx(std::sqrt(2.0 / 1400)).epsilon(0.02).scale(0));
  CHECK(deviation(nn::xavier_normal(shape, rng)) == doctest::Approx(std::sqrt(2.0 / 1400)).epsilon(0.02).scale(0));
  CHECK(deviation(nn::kaiming_uniform(shape, rng)) == doctest::Approx(std::sqrt(2.0 / 200)).epsilon(0.02).scale(0));
  CHECK(deviation(nn::kaiming_normal(shape, rng)) == doctest::Approx(std::sqrt(2.0 / 200)).epsilon(0.02).scale(0));
  CHECK(deviation(nn::lecun_normal(shape, rng)) == doctest::Approx(std::sqrt(1.0 / 200)).epsilon(0.02).scale(0));
  CHECK(max(abs(nn::fan_in_uniform(shape, 200, rng))).item() <= 1 / std::sqrt(200.0));
}

TEST_CASE("initial values depend on the seed and not on the threads") {
  const int before = num_threads();
  std::vector<Tensor> drawn;
  for (const int threads : {1, 2, 4}) {
    set_num_threads(threads);
    Rng rng(7);
    drawn.push_back(nn::trunc_normal({64, 129}, 1, rng));
  }
  set_num_threads(before);
  CHECK(bit_equal(drawn[0], drawn[1]));
  CHECK(bit_equal(drawn[0], drawn[2]));
  Rng other(8);
  CHECK_FALSE(bit_equal(drawn[0], nn::trunc_normal({64, 129}, 1, other)));
}

}  // namespace
}  // namespace vitrail::testing
