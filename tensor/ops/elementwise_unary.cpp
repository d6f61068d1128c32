#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include "base/convert.h"
#include "tensor/kernels/elementwise_loop.h"
#include "tensor/machine/vector_math.h"
#include "tensor/ops/elementwise.h"
#include "tensor/plain.h"
#include "tensor/reference/elementwise.h"

namespace vitrail {
namespace {

// out = fn(x), by the fast loops or the plain ones.
template <class T, class Out, class Fn>
Tensor unary(const char* op, const Tensor& x, Fn fn) {
  const bool plain = runs_plain(PlainOp::kElementwise);
  const Tensor in = plain ? x : contiguous(x);
  Tensor out = empty(x.shape(), dtype_of<Out>(), op);
  plain ? reference::map<T, Out>(in, out, fn) : unary_loop<T, Out>(in, out, fn);
  return out;
}

template <class Fn>
Tensor float_unary(const char* op, const Tensor& x, Fn fn) {
  return dispatch_float(op, x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    return unary<T, T>(op, x, [fn](T v) { return static_cast<T>(fn(v)); });
  });
}

// The same for functions whose fast form is an approximation: the plain form calls the C++ library, in double.
template <class Fast, class Plain>
Tensor float_unary(const char* op, const Tensor& x, Fast fast, Plain plain) {
  if (!runs_plain(PlainOp::kElementwise)) return float_unary(op, x, fast);
  return float_unary(op, x, [plain](auto v) { return plain(static_cast<double>(v)); });
}

// For every dtype.
template <class Fn>
Tensor any_unary(const char* op, const Tensor& x, Fn fn) {
  return dispatch(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    return unary<T, T>(op, x, [fn](T v) { return static_cast<T>(fn(v)); });
  });
}

template <class Fn>
Tensor test_unary(const char* op, const Tensor& x, Fn fn) {
  return dispatch(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    return unary<T, uint8_t>(op, x, [fn](T v) { return static_cast<uint8_t>(fn(v)); });
  });
}

// 0 - v for integers without signed overflow.
template <class T>
T negated(T v) {
  if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(std::make_unsigned_t<T>{0} - static_cast<std::make_unsigned_t<T>>(v));
  } else {
    return -v;
  }
}

template <class T>
T rounded(T v) {
  if constexpr (std::is_integral_v<T>) {
    return v;
  } else {
    return std::nearbyint(v);
  }
}

}  // namespace

Tensor logical_not(const Tensor& x) {
  check(x.dtype() == Dtype::u8, ErrorKind::kValue, "logical_not", "needs a u8 mask: dtype is ", name_of(x.dtype()));
  return test_unary("logical_not", x, [](auto v) { return v == 0; });
}
Tensor isfinite(const Tensor& x) {
  return test_unary("isfinite", x, [](auto v) { return v - v == 0; });
}
Tensor isnan(const Tensor& x) {
  return test_unary("isnan", x, [](auto v) { return v != v; });
}

Tensor neg(const Tensor& x) {
  return any_unary("neg", x, [](auto v) { return negated(v); });
}
Tensor abs(const Tensor& x) {
  return any_unary("abs", x, [](auto v) {
    if constexpr (std::is_floating_point_v<decltype(v)>) return std::abs(v);
    return v < 0 ? negated(v) : v;
  });
}
Tensor sign(const Tensor& x) {
  return any_unary("sign", x, [](auto v) {
    using T = decltype(v);
    return v != v ? v : static_cast<T>((v > T{0}) - (v < T{0}));
  });
}
Tensor square(const Tensor& x) {
  return any_unary("square", x, [](auto v) {
    if constexpr (std::is_integral_v<decltype(v)>) {
      const auto u = static_cast<uint64_t>(v);
      return static_cast<decltype(v)>(u * u);
    } else {
      return v * v;
    }
  });
}
Tensor exp(const Tensor& x) {
  return float_unary(
      "exp", x, [](auto v) { return fast_exp(v); }, [](double v) { return std::exp(v); });
}
Tensor log(const Tensor& x) {
  return float_unary(
      "log", x, [](auto v) { return fast_log(v); }, [](double v) { return std::log(v); });
}
Tensor sqrt(const Tensor& x) {
  return float_unary("sqrt", x, [](auto v) { return std::sqrt(v); });
}
Tensor rsqrt(const Tensor& x) {
  return float_unary("rsqrt", x, [](auto v) { return 1 / std::sqrt(v); });
}
Tensor reciprocal(const Tensor& x) {
  return float_unary("reciprocal", x, [](auto v) { return 1 / v; });
}
Tensor sin(const Tensor& x) {
  return float_unary("sin", x, [](auto v) { return std::sin(v); });
}
Tensor cos(const Tensor& x) {
  return float_unary("cos", x, [](auto v) { return std::cos(v); });
}
Tensor tanh(const Tensor& x) {
  return float_unary(
      "tanh", x, [](auto v) { return fast_tanh(v); }, [](double v) { return std::tanh(v); });
}
Tensor erf(const Tensor& x) {
  return float_unary(
      "erf", x, [](auto v) { return fast_erf(v); }, [](double v) { return std::erf(v); });
}
Tensor floor(const Tensor& x) {
  return float_unary("floor", x, [](auto v) { return std::floor(v); });
}
Tensor ceil(const Tensor& x) {
  return float_unary("ceil", x, [](auto v) { return std::ceil(v); });
}
Tensor round(const Tensor& x) {
  return any_unary("round", x, [](auto v) { return rounded(v); });
}
Tensor sigmoid(const Tensor& x) {
  return float_unary(
      "sigmoid", x, [](auto v) { return fast_sigmoid(v); }, [](double v) { return reference::sigmoid(v); });
}
Tensor softplus(const Tensor& x) {
  return float_unary(
      "softplus", x,
      [](auto v) {
        using T = decltype(v);
        return (v > 0 ? v : (v != v ? v : T{0})) + std::log1p(fast_exp(-std::abs(v)));
      },
      [](double v) { return reference::softplus(v); });
}
Tensor relu(const Tensor& x) {
  return any_unary("relu", x, [](auto v) { return v < 0 ? decltype(v){0} : v; });
}
Tensor leaky_relu(const Tensor& x, double slope) {
  return float_unary("leaky_relu", x, [slope](auto v) { return v < 0 ? static_cast<decltype(v)>(slope) * v : v; });
}
Tensor elu(const Tensor& x, double alpha) {
  return float_unary("elu", x, [alpha](auto v) { return v < 0 ? static_cast<decltype(v)>(alpha) * std::expm1(v) : v; });
}
Tensor silu(const Tensor& x) {
  return float_unary(
      "silu", x,
      [](auto v) {
        using T = decltype(v);
        return v < T{-750} ? T{0} : v * fast_sigmoid(v);  // the sigmoid is 0 there, and -inf * 0 would be NaN
      },
      [](double v) { return reference::silu(v); });
}
Tensor clamp(const Tensor& x, double low, double high) {
  const bool nan = low != low || high != high;
  check(!nan || is_float(x.dtype()), ErrorKind::kValue, "clamp", "a bound of integers is a number: low is ", low, ", high is ",
        high);
  if (nan) return full(x.shape(), std::numeric_limits<double>::quiet_NaN(), x.dtype());
  return dispatch(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    T a, b;
    if constexpr (std::is_floating_point_v<T>) {
      a = static_cast<T>(low), b = static_cast<T>(high);
    } else {
      a = convert<T>(std::ceil(low)), b = convert<T>(std::floor(high));  // the nearest integers between them
    }
    return unary<T, T>("clamp", x, [a, b](T v) {
      const T raised = v < a ? a : v;
      return raised > b ? b : raised;
    });
  });
}

Tensor clamp(const Tensor& x, const Tensor& low, const Tensor& high) {
  const auto check_bound = [&](const char* name, const Tensor& bound) {
    check(!bound.defined() || bound.dtype() == x.dtype(), ErrorKind::kValue, "clamp", "bounds are of x's dtype: x is ",
          name_of(x.dtype()), ", ", name, " is ", name_of(bound.dtype()));
  };
  check_bound("low", low);
  check_bound("high", high);
  const Tensor raised = low.defined() ? maximum(x, low) : x;
  const Tensor result = high.defined() ? minimum(raised, high) : raised;
  return result.storage() == x.storage() ? clone(x) : result;
}

}  // namespace vitrail
