#include "tensor/kernels/gelu.h"

#include "tensor/kernels/elementwise_loop.h"
#include "tensor/machine/gelu_exact.h"
#include "tensor/machine/parallel.h"
#include "tensor/machine/vector_math.h"

namespace vitrail::kernels {
namespace {

using detail::ExactGelu;

constexpr double kTanhScale = 0.79788456080286535588;  // sqrt(2 / pi)
constexpr double kTanhCubic = 0.044715;
constexpr double kQuickScale = 1.702;
constexpr double kFarLeft = detail::kGeluFarLeft;

// 0.5 (1 + tanh u) is sigmoid(2 u).
struct TanhGelu {
  template <class T>
  static T argument(T x) {
    return static_cast<T>(2 * kTanhScale) * (x + static_cast<T>(kTanhCubic) * x * x * x);
  }
  template <class T>
  static T value(T x) {
    return x < static_cast<T>(kFarLeft) ? T{0} : x * fast_sigmoid(argument(x));
  }
  template <class T>
  static T derivative(T x) {
    const T s = fast_sigmoid(argument(x));
    const T rest = s * (1 - s);
    const T inner = static_cast<T>(2 * kTanhScale) * (1 + static_cast<T>(3 * kTanhCubic) * x * x);
    return x < static_cast<T>(kFarLeft) ? T{0} : s + (rest == T{0} ? T{0} : x * rest * inner);
  }
};

struct QuickGelu {
  template <class T>
  static T value(T x) {
    return x < 4 * static_cast<T>(kFarLeft) ? T{0} : x * fast_sigmoid(static_cast<T>(kQuickScale) * x);
  }
  template <class T>
  static T derivative(T x) {
    const T s = fast_sigmoid(static_cast<T>(kQuickScale) * x);
    const T rest = s * (1 - s);
    return x < 4 * static_cast<T>(kFarLeft) ? T{0} : s + (rest == T{0} ? T{0} : static_cast<T>(kQuickScale) * x * rest);
  }
};

template <class Kind>
void forward(const Tensor& x, Tensor& y) {
  dispatch_float("gelu", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    unary_loop<T, T>(x, y, [](T v) { return Kind::value(v); });
  });
}

template <class Kind>
void backward(const Tensor& dy, const Tensor& x, Tensor& dx) {
  dispatch_float("gelu", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    binary_loop<T, T>(dy, x, dx, [](T g, T v) { return g * Kind::derivative(v); });
  });
}

}  // namespace

void gelu(const Tensor& x, Gelu kind, Tensor y) {
  switch (kind) {
    case Gelu::kExact: return forward<ExactGelu>(x, y);
    case Gelu::kTanh: return forward<TanhGelu>(x, y);
    case Gelu::kQuick: return forward<QuickGelu>(x, y);
  }
}

void gelu_backward(const Tensor& dy, const Tensor& x, Gelu kind, Tensor dx) {
  switch (kind) {
    case Gelu::kExact: return backward<ExactGelu>(dy, x, dx);
    case Gelu::kTanh: return backward<TanhGelu>(dy, x, dx);
    case Gelu::kQuick: return backward<QuickGelu>(dy, x, dx);
  }
}

void gelu_with_slope(const Tensor& x, Tensor y, Tensor slope) {
  dispatch_float("gelu", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* from = x.data<T>();
    T *values = y.mutable_data<T>(), *slopes = slope.mutable_data<T>();
    parallel_for(x.numel(), kElementwiseGrain, [=](int64_t begin, int64_t end) {
#pragma omp simd
      for (int64_t i = begin; i < end; ++i) values[i] = ExactGelu::value_and_slope(from[i], &slopes[i]);
    });
  });
}

}  // namespace vitrail::kernels
