#include "train/optim/ema.h"

#include <doctest/doctest.h>

#include "tests/support/tiny_module.h"

using namespace vitrail;
using vitrail::testing::TinyModule;

TEST_CASE("the average follows quickly at first and slowly later") {
  TinyModule module({1, 1});
  Ema ema(module, 0.9);
  CHECK(ema.decay_at(0) == doctest::Approx(0.1));
  CHECK(ema.decay_at(8) == doctest::Approx(0.5));
  CHECK(ema.decay_at(1000000) == 0.9);
  module.weight.set_value(full({2, 1}, 3.0, Dtype::f64));
  ema.update();  // 0.1 * 1 + 0.9 * 3
  CHECK(ema.state()[0].second.at({0, 0}) == doctest::Approx(2.8));
  ema.update();  // d = 2 / 11
  CHECK(ema.state()[0].second.at({0, 0}) == doctest::Approx(2.8 * 2 / 11 + 3.0 * 9 / 11));
}

TEST_CASE("swapping shows the average and swapping back gives the very weights") {
  TinyModule module({1, 1});
  Ema ema(module, 0.9);
  module.weight.set_value(full({2, 1}, 3.0, Dtype::f64));
  ema.update();
  const Tensor weights = module.weight.value();
  {
    const EmaScope scope(&ema);
    CHECK(module.weight.value().at({0, 0}) == doctest::Approx(2.8));
  }
  CHECK(module.weight.value().storage() == weights.storage());
  CHECK(module.weight.value().at({0, 0}) == 3);
  const EmaScope nothing(nullptr);
}

TEST_CASE("the average does not move when the weights are written in place") {
  TinyModule module({1, 1});
  Ema ema(module, 0.9);
  fill_(module.weight.value(), 100);
  CHECK(ema.state()[0].second.at({0, 0}) == 1);
}

TEST_CASE("restored averages go on as before; others are refused") {
  TinyModule a({1, 1}), b({5, 5}), other({1, 2, 3});
  Ema ema(a, 0.9), copy(b, 0.9);
  ema.update();
  copy.load_state(ema.state());
  CHECK(bit_equal(copy.state()[0].second, ema.state()[0].second));
  CHECK_THROWS_WITH_AS(copy.load_state(Ema(other, 0.9).state()), doctest::Contains("tensor 0 differs: given is weight [3, 1]"),
                       Error);
  CHECK_THROWS_WITH_AS(Ema(a, 1), doctest::Contains("decay must be in [0, 1): it is 1"), Error);
}

TEST_CASE("an average of another shape than its weight is refused by name, and nothing moves") {
  TinyModule module({1, 1});
  Ema ema(module, 0.9);
  module.bias.set_value(zeros({5000}, Dtype::f64));
  CHECK_THROWS_WITH_AS(ema.update(), doctest::Contains("bias is f64 [5000], its average is f64 [2]"), Error);
  CHECK(ema.updates() == 0);
  CHECK(ema.state()[0].second.at({0, 0}) == 1);
}
