// A part of labs/lab8/tests.cpp: positions on other grids, against separable interpolation written as loops.
#include <functional>

#include "models/weights/position_resampling.h"

namespace {

using models::Size2d;

// Keys' cubic with a = -0.75, and the triangle.
double cubic_kernel(double x) {
  x = std::abs(x);
  if (x < 1) return 1.25 * x * x * x - 2.25 * x * x + 1;
  return x < 2 ? -0.75 * (x * x * x - 5 * x * x + 8 * x - 4) : 0;
}
double triangle(double x) { return std::max(0.0, 1 - std::abs(x)); }

// What a rule without antialiasing does, as functions.
struct ByHand {
  PositionRule rule;
  double (*kernel)(double);
  std::function<double(int64_t i, double in, double out)> source;
};

std::vector<ByHand> plain_rules() {
  const auto centres = [](int64_t i, double in, double out) { return (static_cast<double>(i) + 0.5) * in / out - 0.5; };
  const auto corners = [](int64_t i, double in, double out) {
    return out > 1 ? static_cast<double>(i) * (in - 1) / (out - 1) : 0;
  };
  const auto offset = [](int64_t i, double in, double out) { return (static_cast<double>(i) + 0.5) * in / (out + 0.1) - 0.5; };
  return {{PositionRule::kTimmNpz, triangle, centres},
          {PositionRule::kHfVit, cubic_kernel, centres},
          {PositionRule::kGoogleZoom, triangle, corners},
          {PositionRule::kTorchvision, cubic_kernel, corners},
          {PositionRule::kDinov2Offset, cubic_kernel, offset}};
}

// Weight of input j for output i: neighbours beyond the border count for the border.
double weight_of(const ByHand& hand, int64_t i, int64_t j, int64_t in, int64_t out) {
  const double source = hand.source(i, static_cast<double>(in), static_cast<double>(out));
  double weight = 0;
  for (int64_t k = -4; k < in + 4; ++k)
    if (std::clamp<int64_t>(k, 0, in - 1) == j) weight += hand.kernel(source - static_cast<double>(k));
  return weight;
}

Tensor resampled_by_hand(const ByHand& hand, const Tensor& x, Size2d from, Size2d to, int64_t prefix) {
  Tensor result = zeros({1, prefix + to.h * to.w, x.size(2)}, Dtype::f64);
  double* out = result.mutable_data<double>();
  for (int64_t row = 0; row < result.size(1); ++row)
    for (int64_t d = 0; d < x.size(2); ++d, ++out) {
      if (row < prefix) *out = x.at({0, row, d});
      for (int64_t at = prefix; row >= prefix && at < x.size(1); ++at)
        *out += weight_of(hand, (row - prefix) / to.w, (at - prefix) / from.w, from.h, to.h) *
                weight_of(hand, (row - prefix) % to.w, (at - prefix) % from.w, from.w, to.w) * x.at({0, at, d});
    }
  return result;
}

std::string resampled(PositionRule rule, Size2d from, Size2d to, int64_t prefix) {
  const Tensor x = fixed({1, prefix + from.h * from.w, 2}, 3);
  return lab::digits(resample_positions(x, from, to, prefix, rule), 4);
}

}  // namespace

LAB_PROBE("8.4") { return resampled(PositionRule::kTimmNpz, {2, 3}, {3, 4}, 1); }
LAB_PROBE("8.4") { return resampled(PositionRule::kHfVit, {3, 2}, {2, 5}, 2); }
LAB_PROBE("8.4") { return resampled(PositionRule::kDinov2Offset, {3, 2}, {2, 5}, 0); }
LAB_PROBE("8.4") { return resampled(PositionRule::kGoogleZoom, {3, 3}, {2, 4}, 1); }
LAB_PROBE("8.4") { return resampled(PositionRule::kTimm, {4, 4}, {2, 3}, 1); }
LAB_PROBE("8.4") {  // what f32 cannot hold
  const Tensor y = resample_positions(full({1, 6, 1}, 1 / 3.0, Dtype::f64), {2, 3}, {3, 4}, 0, PositionRule::kTimmNpz);
  return cat(name_of(y.dtype()), " ", std::abs(y.at({0, 5, 0}) - 1 / 3.0) < 1e-12);
}

TEST_SUITE("8.4") {
  TEST_CASE("grids that are not square, larger and smaller: every rule is its formula") {
    lab::Dice dice(84);
    for (int round = 0; round < 6; ++round) {
      const Size2d from{dice.roll(2, 5), dice.roll(2, 5)}, to{from.h + dice.roll(-1, 3), from.w + dice.roll(1, 3)};
      const int64_t prefix = dice.roll(0, 3);
      CAPTURE(cat(from.h, " x ", from.w, " to ", to.h, " x ", to.w, ", prefix ", prefix));
      const Tensor x = lab::random({1, prefix + from.h * from.w, 3}, 841);
      for (const ByHand& hand : plain_rules()) {
        CAPTURE(std::string(position_rule_name(hand.rule)));
        const Tensor y = resample_positions(x, from, to, prefix, hand.rule);
        CHECK(std::string(name_of(y.dtype())) == "f64");
        CHECK(lab::difference(y, resampled_by_hand(hand, x, from, to, prefix), 1e-12) == "");
      }
    }
  }
  TEST_CASE("the prefix keeps its bits, and on the same grid everything does") {
    for (const Dtype dtype : {Dtype::f32, Dtype::f64}) {
      const Tensor x = lab::random({1, 2 + 12, 5}, 842, 0, 1, dtype);
      for (const PositionRule rule : {PositionRule::kTimm, PositionRule::kTimmNpz, PositionRule::kGoogleZoom}) {
        const Tensor y = resample_positions(x, {3, 4}, {4, 2}, 2, rule);
        REQUIRE(y.shape() == Shape{1, 2 + 8, 5});
        CHECK(std::string(name_of(y.dtype())) == name_of(dtype));
        CHECK(bit_equal(slice(y, 1, 0, 2), slice(x, 1, 0, 2)));
        CHECK(bit_equal(resample_positions(x, {3, 4}, {3, 4}, 2, rule), x));
      }
    }
  }
  TEST_CASE("what is the same everywhere stays so, and a ramp between pixel centres goes on") {
    Tensor x = zeros({1, 12, 2}, Dtype::f64);
    for (int64_t i = 0; i < 12; ++i)
      x.mutable_data<double>()[2 * i] = 0.75, x.mutable_data<double>()[2 * i + 1] = 10.0 * (i / 4) + i % 4;
    const Tensor y = resample_positions(x, {3, 4}, {6, 8}, 0, PositionRule::kTimmNpz);
    Tensor wanted = zeros({1, 48, 2}, Dtype::f64);
    for (int64_t i = 0; i < 48; ++i) {
      const double down = std::clamp((i / 8 + 0.5) / 2 - 0.5, 0.0, 2.0), across = std::clamp((i % 8 + 0.5) / 2 - 0.5, 0.0, 3.0);
      wanted.mutable_data<double>()[2 * i] = 0.75, wanted.mutable_data<double>()[2 * i + 1] = 10 * down + across;
    }
    CHECK(lab::difference(y, wanted, 1e-12) == "");
  }
  TEST_CASE("the number of prefix tokens is what the caller says, not what would make a square") {
    const Tensor x = lab::random({1, 16, 3}, 843);  // 4 x 4 without a prefix, or 3 x 5 behind one token
    for (const ByHand& hand : plain_rules())
      CHECK(lab::difference(resample_positions(x, {3, 5}, {4, 4}, 1, hand.rule), resampled_by_hand(hand, x, {3, 5}, {4, 4}, 1),
                            1e-12) == "");
  }
}
