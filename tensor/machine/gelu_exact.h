// The exact GELU, x Phi(x), for loops that vectorise.
#pragma once

#include "tensor/machine/vector_math.h"

namespace vitrail::detail {

// Far to the left all forms of GELU are 0; there x times a vanishing factor would be inf * 0.
constexpr double kGeluFarLeft = -30;

struct ExactGelu {
  // Value and derivative share the one exponential: x Phi(x) and Phi(x) + x phi(x).
  template <class T>
  static T value_and_slope(T x, T* slope) {
    T gauss;
    const T cdf = normal_cdf(x, &gauss);
    constexpr T kInvSqrtTwoPi = static_cast<T>(0.39894228040143267794);
    const bool far = x < static_cast<T>(kGeluFarLeft);
    const T inner = cdf + (gauss == T{0} ? T{0} : x * gauss * kInvSqrtTwoPi);
    *slope = far ? T{0} : inner;
    return far ? T{0} : x * cdf;
  }
  template <class T>
  static T value(T x) {
    T gauss;
    const T cdf = normal_cdf(x, &gauss);
    return x < static_cast<T>(kGeluFarLeft) ? T{0} : x * cdf;
  }
  template <class T>
  static T derivative(T x) {
    T slope;
    value_and_slope(x, &slope);
    return slope;
  }
};

}  // namespace vitrail::detail
