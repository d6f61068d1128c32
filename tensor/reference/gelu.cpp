#include "tensor/reference/gelu.h"

#include <cmath>

#include "tensor/reference/elementwise.h"

namespace vitrail::reference {
namespace {

constexpr double kSqrtTwo = 1.41421356237309504880, kSqrtTwoPi = 2.50662827463100050242;
constexpr double kTanhScale = 0.79788456080286535588, kTanhCubic = 0.044715;  // sqrt(2 / pi)
constexpr double kQuickScale = 1.702;

// Phi(x) = (1 + erf(x / sqrt(2))) / 2. For x < 0 the sum 1 + erf cancels; erfc(-x / sqrt(2)) / 2 is equal to it and does not.
double normal_cdf(double x) {
  // LAB 4.3 BEGIN  Phi(x), the normal distribution function, by std::erf and std::erfc: accurate for x < 0, too.
  return x < 0 ? std::erfc(-x / kSqrtTwo) / 2 : (1 + std::erf(x / kSqrtTwo)) / 2;
  // LAB 4.3 END
}

// phi(x) = e^(-x^2 / 2) / sqrt(2 pi), the derivative of Phi
double normal_density(double x) { return std::exp(-x * x / 2) / kSqrtTwoPi; }

// x f, but 0 where f is 0, since inf * 0 would be NaN.
double times(double x, double f) { return f == 0 ? 0 : x * f; }

// u of gelu_tanh(x) = x (1 + tanh u) / 2
double tanh_argument(double x) { return kTanhScale * (x + kTanhCubic * x * x * x); }

}  // namespace

// exact: x Phi(x); tanh: x (1 + tanh u) / 2 = x sigmoid(2 u); quick: x sigmoid(1.702 x)
double gelu(double x, Gelu kind) {
  // LAB 4.3 BEGIN  x Phi(x), or x sigmoid(a(x)): a = 2 u for tanh, 1.702 x for quick. times() is given.
  if (kind == Gelu::kExact) return times(x, normal_cdf(x));
  return times(x, sigmoid(kind == Gelu::kTanh ? 2 * tanh_argument(x) : kQuickScale * x));
  // LAB 4.3 END
}

// exact: Phi(x) + x phi(x); the others with s = sigmoid(a(x)): s + x s (1 - s) a'(x)
double gelu_derivative(double x, Gelu kind) {
  // LAB 4.3 BEGIN  Its derivative: Phi(x) + x phi(x); or s + x s (1 - s) a'(x) with s = sigmoid(a(x)).
  if (kind == Gelu::kExact) return normal_cdf(x) + times(x, normal_density(x));
  const double s = sigmoid(kind == Gelu::kTanh ? 2 * tanh_argument(x) : kQuickScale * x);
  const double slope = kind == Gelu::kTanh ? 2 * kTanhScale * (1 + 3 * kTanhCubic * x * x) : kQuickScale;
  return s + times(x * slope, s * (1 - s));
  // LAB 4.3 END
}

}  // namespace vitrail::reference
