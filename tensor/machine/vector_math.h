// Functions of one float, written so that the compiler can vectorise loops over them: branch-free, without fast-math, NaN stays
// NaN.
// For double they are the C library's. tests/tensor/machine/vector_math_test.cpp bounds their errors against f64.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

#include "tensor/machine/fast_exp.h"

namespace vitrail {

// 1 / (1 + e^-x), from e^-|x| so that nothing overflows.
template <class T>
inline T fast_sigmoid(T x) {
  const T e = fast_exp(-std::abs(x));
  const T high = 1 / (1 + e);
  return x < 0 ? e * high : high;
}

// tanh |x| = 1 - 2 / (e^2|x| + 1); near zero an odd polynomial (minimax), where that form would cancel.
inline float fast_tanh(float x) {
  const float a = std::abs(x), z = a * a;
  float p = 2.059580555e-3f;
  p = p * z - 8.085626048e-3f;
  p = p * z + 2.166340287e-2f;
  p = p * z - 5.393994250e-2f;
  p = p * z + 1.333315218e-1f;
  p = p * z - 3.333332944e-1f;
  const float small = p * z * a + a;
  const float large = 1.0f - 2.0f / (fast_exp(2.0f * a) + 1.0f);
  return std::copysign(a < 0.65f ? small : large, x);
}
inline double fast_tanh(double x) { return std::tanh(x); }

// The upper tail of the normal distribution at |x|, 1 - Phi(|x|) = erfc(|x| / sqrt(2)) / 2, and e^(-x^2 / 2).
// erfc(z) = e^(-z^2) t P(t) with t = 1 / (1 + 0.4 z), the form of Abramowitz and Stegun, Handbook of Mathematical Functions,
// 7.1.26, with a longer minimax polynomial: relative error below 1e-6 for |x| < 3, so that the left tail of GELU is right too.
inline float normal_tail(float x, float* gauss) {
  *gauss = fast_exp(-0.5f * x * x);
  const float t = 1.0f / (1.0f + 0.4f * 0.70710678f * std::abs(x));
  float p = 4.662071854e-2f;
  p = p * t - 1.661383949e-1f;
  p = p * t + 1.366367262e-1f;
  p = p * t + 2.870802791e-2f;
  p = p * t + 1.198789750e-1f;
  p = p * t + 1.767169682e-1f;
  p = p * t + 2.060279021e-1f;
  p = p * t + 2.258834829e-1f;
  p = p * t + 2.256656860e-1f;
  return 0.5f * p * t * *gauss;
}
inline double normal_tail(double x, double* gauss) {
  *gauss = std::exp(-0.5 * x * x);
  return 0.5 * std::erfc(std::abs(x) * 0.70710678118654752440);
}

// Phi(x), the normal distribution function.
template <class T>
inline T normal_cdf(T x, T* gauss) {
  const T tail = normal_tail(x, gauss);
  return x < 0 ? tail : 1 - tail;
}

// erf: an odd polynomial below one (minimax), the normal tail above.
inline float fast_erf(float x) {
  const float z = x * x;
  float p = 7.853860921e-5f;
  p = p * z - 8.010193495e-4f;
  p = p * z + 5.188327671e-3f;
  p = p * z - 2.685381193e-2f;
  p = p * z + 1.128358515e-1f;
  p = p * z - 3.761262582e-1f;
  p = p * z + 1.128379166e+0f;
  float gauss;
  const float large = std::copysign(1.0f - 2.0f * normal_tail(x * 1.41421356f, &gauss), x);
  return std::abs(x) < 1.0f ? p * x : large;
}
inline double fast_erf(double x) { return std::erf(x); }

// log x = n log 2 + log(1 + f) with 1 + f in [sqrt(1/2), sqrt(2)), log(1 + f) = f - f^2 / 2 + f^3 P(f) with a minimax P.
// -inf at 0, NaN below.
inline float fast_log(float x) {
  constexpr uint32_t kSqrtHalf = 0x3f3504f3;   // the bits of sqrt(1/2)
  const bool subnormal = x < 1.17549435e-38f;  // subnormal numbers are scaled by 2^23 first
  const uint32_t bits = std::bit_cast<uint32_t>(subnormal ? x * 8388608.0f : x);
  const int32_t power = static_cast<int32_t>(bits - kSqrtHalf) >> 23;
  const float n = static_cast<float>(subnormal ? power - 23 : power);
  const float f = std::bit_cast<float>(bits - (static_cast<uint32_t>(power) << 23)) - 1.0f;
  float p = 6.747728763e-2f;
  p = p * f - 1.167751523e-1f;
  p = p * f + 1.188869741e-1f;
  p = p * f - 1.240534023e-1f;
  p = p * f + 1.421945299e-1f;
  p = p * f - 1.666800518e-1f;
  p = p * f + 2.000212346e-1f;
  p = p * f - 2.500000951e-1f;
  p = p * f + 3.333331254e-1f;
  const float tail = f * f * (f * p - 0.5f) + n * 1.42860677e-6f;  // log 2 in two parts, as in fast_exp
  const float finite = n * 0.693145752f + (f + tail);
  const float limit = x == 0 ? -INFINITY : (x > 0 ? x : NAN);
  return ((x > 0) & (x < INFINITY)) ? finite : limit;
}
inline double fast_log(double x) { return std::log(x); }

}  // namespace vitrail
