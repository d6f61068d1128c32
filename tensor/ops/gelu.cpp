// GELU and its derivative, one pass each. The exact form shares one exponential between Phi(x) and its density.
#include "tensor/reference/gelu.h"
#include "tensor/kernels/elementwise_loop.h"
#include "tensor/machine/gelu_exact.h"
#include "tensor/machine/parallel.h"
#include "tensor/machine/vector_math.h"
#include "tensor/ops/elementwise.h"
#include "tensor/plain.h"
#include "tensor/reference/elementwise.h"

namespace vitrail {
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
Tensor forward(const Tensor& x) {
  Tensor out = empty_like(x);
  dispatch_float("gelu", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    unary_loop<T, T>(x, out, [](T v) { return Kind::value(v); });
  });
  return out;
}

template <class Kind>
Tensor backward(const Tensor& dy, const Tensor& x) {
  Tensor dx = empty_like(x);
  dispatch_float("gelu", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    binary_loop<T, T>(dy, x, dx, [](T g, T v) { return g * Kind::derivative(v); });
  });
  return dx;
}

}  // namespace

namespace {

// y_i = gelu(x_i), or gelu'(x_i) with `slope`
Tensor plain_gelu(const Tensor& x, Gelu kind, bool slope) {
  Tensor y = empty_like(x);
  dispatch_float("gelu", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    reference::map<T, T>(x, y, [=](T v) {
      const auto wide = static_cast<double>(v);
      return slope ? reference::gelu_derivative(wide, kind) : reference::gelu(wide, kind);
    });
  });
  return y;
}

}  // namespace

Tensor gelu(const Tensor& x, Gelu kind) {
  if (runs_plain(PlainOp::kGelu)) return plain_gelu(x, kind, false);
  const Tensor in = contiguous(x);
  switch (kind) {
    case Gelu::kExact: return forward<ExactGelu>(in);
    case Gelu::kTanh: return forward<TanhGelu>(in);
    case Gelu::kQuick: return forward<QuickGelu>(in);
  }
  fail(ErrorKind::kValue, "gelu", "unknown kind ", static_cast<int>(kind));
}

Tensor gelu_backward(const Tensor& dy, const Tensor& x, Gelu kind) {
  check(dy.shape() == x.shape(), ErrorKind::kShape, "gelu", "shapes differ: dy is ", dy.shape(), ", x is ", x.shape());
  if (runs_plain(PlainOp::kGelu)) return mul(dy, plain_gelu(x, kind, true));
  switch (kind) {
    case Gelu::kExact: return backward<ExactGelu>(dy, x);
    case Gelu::kTanh: return backward<TanhGelu>(dy, x);
    case Gelu::kQuick: return backward<QuickGelu>(dy, x);
  }
  fail(ErrorKind::kValue, "gelu", "unknown kind ", static_cast<int>(kind));
}

Tensor gelu_with_slope(const Tensor& x, Tensor& slope) {
  if (runs_plain(PlainOp::kGelu)) {
    slope = plain_gelu(x, Gelu::kExact, true);
    return plain_gelu(x, Gelu::kExact, false);
  }
  const Tensor in = contiguous(x);
  Tensor out = empty_like(in);
  slope = empty_like(in);
  dispatch_float("gelu", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* from = in.data<T>();
    T *y = out.mutable_data<T>(), *dy = slope.mutable_data<T>();
    parallel_for(in.numel(), kElementwiseGrain, [=](int64_t begin, int64_t end) {
#pragma omp simd
      for (int64_t i = begin; i < end; ++i) y[i] = ExactGelu::value_and_slope(from[i], &dy[i]);
    });
  });
  return out;
}

}  // namespace vitrail
