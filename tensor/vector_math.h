// Functions of one float, written so that loops over them vectorise: branch-free, without fast-math, NaN stays NaN.
// For double they are the C library's. Errors against f64 are tests (tests/tensor/elementwise_test.cpp).
#pragma once

#include <cmath>

#include "tensor/fast_exp.h"

namespace vitrail {

// 1 / (1 + e^-x), from e^-|x| so that nothing overflows.
template <class T>
inline T fast_sigmoid(T x) {
  const T e = fast_exp(-std::abs(x));
  const T high = 1 / (1 + e);
  return x < 0 ? e * high : high;
}

// tanh |x| = 1 - 2 / (e^2|x| + 1); near zero an odd polynomial (Cephes, S. Moshier), where that form would cancel.
inline float fast_tanh(float x) {
  const float a = std::abs(x), z = x * x;
  float p = -5.70498872745e-3f;
  p = p * z + 2.06390887954e-2f;
  p = p * z - 5.37397155531e-2f;
  p = p * z + 1.33314422036e-1f;
  p = p * z - 3.33332819422e-1f;
  const float small = p * z * x + x;
  const float large = std::copysign(1.0f - 2.0f / (fast_exp(2.0f * a) + 1.0f), x);
  return a < 0.625f ? small : (x != x ? x : large);
}
inline double fast_tanh(double x) { return std::tanh(x); }

// The upper tail of the normal distribution at |x|, 1 - Phi(|x|), and e^(-x^2 / 2)
// (Abramowitz and Stegun, Handbook of Mathematical Functions, 7.1.26: absolute error 1.5e-7 in erf).
inline float normal_tail(float x, float* gauss) {
  *gauss = fast_exp(-0.5f * x * x);
  const float t = 1.0f / (1.0f + 0.3275911f * 0.70710678f * std::abs(x));
  float p = 1.061405429f;
  p = p * t - 1.453152027f;
  p = p * t + 1.421413741f;
  p = p * t - 0.284496736f;
  p = p * t + 0.254829592f;
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

// erf: an odd polynomial below one (Cephes), the normal tail above.
inline float fast_erf(float x) {
  const float z = x * x;
  float p = 7.853861353153693e-5f;
  p = p * z - 8.010193625184903e-4f;
  p = p * z + 5.188327685732524e-3f;
  p = p * z - 2.685381193529856e-2f;
  p = p * z + 1.128358514861418e-1f;
  p = p * z - 3.761262582423300e-1f;
  p = p * z + 1.128379165726710e+0f;
  float gauss;
  const float large = std::copysign(1.0f - 2.0f * normal_tail(x * 1.41421356f, &gauss), x);
  return std::abs(x) < 1.0f ? p * x : large;
}
inline double fast_erf(double x) { return std::erf(x); }

}  // namespace vitrail
