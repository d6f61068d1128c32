// The polynomials against the C library in double, over every region of the number line.
#include "tensor/machine/vector_math.h"

#include <doctest/doctest.h>

#include <cmath>
#include <initializer_list>
#include <limits>

namespace vitrail {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// The largest |fn(x) - exact(x)| / scale(x) over `count` points of [low, high].
template <class Fn, class Exact, class Scale>
double worst(double low, double high, Fn fn, Exact exact, Scale scale) {
  constexpr int kCount = 200001;
  double result = 0;
  for (int i = 0; i < kCount; ++i) {
    const float x = static_cast<float>(low + (high - low) * i / (kCount - 1));
    const double want = exact(static_cast<double>(x));
    const double error = std::abs(static_cast<double>(fn(x)) - want) / scale(want);
    result = error > result || std::isnan(error) ? error : result;
  }
  return result;
}

const auto relative = [](double want) { return std::abs(want) + 1e-300; };
const auto absolute = [](double) { return 1.0; };

TEST_CASE("the fast exponential is within 2e-7 wherever the result is a normal number") {
  const auto exact = [](double x) { return std::exp(x); };
  CHECK(worst(
            -87.336, 88.722, [](float x) { return fast_exp(x); }, exact, relative) < 2e-7);
  CHECK(worst(
            -1, 1, [](float x) { return fast_exp(x); }, exact, relative) < 2e-7);
  CHECK(fast_exp(0.0f) == 1.0f);
}

TEST_CASE("the fast exponential fades to zero through the subnormal numbers") {
  CHECK(worst(
            -110, -87.33, [](float x) { return fast_exp(x); }, [](double x) { return std::exp(x); }, absolute) < 2e-45);
}

TEST_CASE("the fast exponential keeps infinities and NaN") {
  CHECK(fast_exp(-kInfinity) == 0.0f);
  CHECK(fast_exp(-1e4f) == 0.0f);
  CHECK(fast_exp(1e4f) == kInfinity);
  CHECK(fast_exp(kInfinity) == kInfinity);
  CHECK(std::isnan(fast_exp(kNan)));
}

TEST_CASE("fast tanh, erf and sigmoid have small relative errors on both sides of zero") {
  for (const double reach : {1e-3, 1.0, 12.0, 1e4}) {
    CAPTURE(reach);
    CHECK(worst(
              -reach, reach, [](float x) { return fast_tanh(x); }, [](double x) { return std::tanh(x); }, relative) < 5e-7);
    CHECK(worst(
              -reach, reach, [](float x) { return fast_erf(x); }, [](double x) { return std::erf(x); }, relative) < 5e-7);
  }
  const auto sigmoid = [](double x) { return 1 / (1 + std::exp(-x)); };
  CHECK(worst(
            -80, 80, [](float x) { return fast_sigmoid(x); }, sigmoid, relative) < 5e-7);
}

TEST_CASE("the fast logarithm is right near one, far out and for subnormal numbers") {
  const auto fast = [](float x) { return fast_log(x); };
  const auto exact = [](double x) { return std::log(x); };
  for (const double reach : {1e-38, 1e-30, 1.0, 2.0, 1e9, 3e38}) CHECK(worst(reach / 1e6, reach, fast, exact, relative) < 3e-7);
  CHECK(worst(0.99, 1.01, fast, exact, relative) < 3e-7);
  CHECK(fast_log(1.0f) == 0.0f);
  CHECK(fast_log(0.0f) == -kInfinity);
  CHECK(fast_log(kInfinity) == kInfinity);
  CHECK(std::isnan(fast_log(-1e-30f)));
  CHECK(std::isnan(fast_log(-kInfinity)));
  CHECK(std::isnan(fast_log(kNan)));
}

TEST_CASE("bounded functions reach their limits at infinity and keep NaN") {
  CHECK(fast_tanh(kInfinity) == 1.0f);
  CHECK(fast_tanh(-kInfinity) == -1.0f);
  CHECK(fast_erf(kInfinity) == 1.0f);
  CHECK(fast_erf(-kInfinity) == -1.0f);
  CHECK(fast_sigmoid(-kInfinity) == 0.0f);
  CHECK(fast_sigmoid(kInfinity) == 1.0f);
  for (const float y : {fast_tanh(kNan), fast_erf(kNan), fast_sigmoid(kNan)}) CHECK(std::isnan(y));
}

TEST_CASE("the signs of tiny numbers survive tanh and erf") {
  CHECK(fast_tanh(-1e-30f) == -1e-30f);
  CHECK(std::signbit(fast_tanh(-0.0f)));
  CHECK(std::signbit(fast_erf(-0.0f)));
}

TEST_CASE("the normal distribution function keeps its left tail") {
  float gauss;
  const auto exact = [](double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); };
  CHECK(worst(
            -9, 9, [&](float x) { return normal_cdf(x, &gauss); }, exact, relative) < 1e-5);
  CHECK(worst(
            -3, 9, [&](float x) { return normal_cdf(x, &gauss); }, exact, relative) < 1e-6);
}

}  // namespace
}  // namespace vitrail
