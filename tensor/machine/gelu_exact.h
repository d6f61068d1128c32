// The exact GELU, x Phi(x), in a form that the compiler can vectorise.
#pragma once

#include "tensor/machine/vector_math.h"

namespace vitrail::detail {

// Below this all forms of GELU return 0. Without it, x = -inf would give inf * 0 = NaN.
constexpr double kGeluFarLeft = -30;

struct ExactGelu {
  // Value and derivative share one exponential: x Phi(x) and Phi(x) + x phi(x).
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
