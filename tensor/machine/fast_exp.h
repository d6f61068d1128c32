// e^x in a form that the compiler can vectorise without fast-math: branch-free, NaN stays NaN, -inf gives 0.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace vitrail {

// e^r for |r| <= ln(2) / 2, of a float or of a vector of them.
template <class Float>
inline Float exp_fraction(Float r) {
  Float p = 1.381459837e-03f * r + 8.368716898e-03f;
  p = p * r + 4.166838805e-02f;
  p = p * r + 1.666652063e-01f;
  p = p * r + 4.999999345e-01f;
  return p * r * r + r + 1.0f;
}

// e^x = 2^n e^r with n = round(x / ln 2) and |r| <= ln(2) / 2, where e^r = 1 + r + r^2 P(r) and P is a minimax polynomial
// (Lawson's algorithm on Chebyshev nodes). Relative error below 2e-7 where the result is a normal number; the result goes to 0
// through the subnormal numbers, and is infinity above x = 88.7.
inline float fast_exp(float x) {
  constexpr float kLow = -104.0f, kHigh = 89.0f;  // e^kLow is 0 and e^kHigh infinity in f32
  constexpr float kRounder = 12582912.0f;         // 1.5 * 2^23: adding it rounds to an integer
  const float raised = x < kLow ? kLow : x;
  const float clamped = raised > kHigh ? kHigh : raised;
  const float shifted = clamped * 1.44269504f + kRounder;
  const float n = shifted - kRounder;
  const float r = (clamped - n * 0.693145752f) - n * 1.42860677e-06f;  // ln 2 in two parts; multiples of the first are exact
  const float p = exp_fraction(r);
  // The integer n sits in the low bits of `shifted`. 2^n in two factors: n reaches from -150 to 128, beyond one exponent.
  const auto power = static_cast<int32_t>(std::bit_cast<uint32_t>(shifted) - std::bit_cast<uint32_t>(kRounder));
  const int32_t half = power >> 1;
  const float first = std::bit_cast<float>(static_cast<uint32_t>(half + 127) << 23);
  const float second = std::bit_cast<float>(static_cast<uint32_t>(power - half + 127) << 23);
  return p * first * second;
}

inline double fast_exp(double x) { return std::exp(x); }

}  // namespace vitrail
