#include <cmath>
#include <type_traits>
#include <vector>

#include "tensor/kernels/elementwise_loop.h"
#include "tensor/ops/elementwise.h"
#include "tensor/plain.h"
#include "tensor/reference/elementwise.h"

namespace vitrail {
namespace {

void check_dtypes(const char* op, const Tensor& a, const Tensor& b) {
  check(a.dtype() == b.dtype(), ErrorKind::kValue, op, "dtypes differ: a is ", name_of(a.dtype()), ", b is ",
        name_of(b.dtype()), ". Hint: convert one with to().");
}

// out = fn(a, b), by the fast loops or the plain ones.
template <class T, class Out, class Fn>
void fill_binary(const Tensor& a, const Tensor& b, Tensor& out, Fn fn) {
  if (!runs_plain(PlainOp::kElementwise)) return binary_loop<T, Out>(a, b, out, fn);
  reference::zip<T, Out>(expand(a, out.shape()), expand(b, out.shape()), out, fn);
}

template <class Fn>
Tensor binary(const char* op, const Tensor& a, const Tensor& b, Fn fn) {
  check_dtypes(op, a, b);
  Tensor out = empty(broadcast_shapes(a.shape(), b.shape(), op), a.dtype(), op);
  dispatch(a.dtype(), [&](auto zero) {
    using T = decltype(zero);
    fill_binary<T, T>(a, b, out, [fn](T x, T y) { return static_cast<T>(fn(x, y)); });
  });
  return out;
}

template <class Fn>
Tensor comparison(const char* op, const Tensor& a, const Tensor& b, Fn fn) {
  check_dtypes(op, a, b);
  Tensor out = empty(broadcast_shapes(a.shape(), b.shape(), op), Dtype::u8, op);
  dispatch(a.dtype(), [&](auto zero) {
    using T = decltype(zero);
    fill_binary<T, uint8_t>(a, b, out, [fn](T x, T y) { return static_cast<uint8_t>(fn(x, y)); });
  });
  return out;
}

// value as a scalar of the other operand's dtype. For integers its fraction is cut off; u8 takes it modulo 256, so that x - 1
// and x + (-1) are the same.
Tensor number(const char* op, double value, const Tensor& like) {
  if (is_float(like.dtype())) return scalar(value, like.dtype());
  check(std::abs(value) < 0x1p63, ErrorKind::kValue, op, "no integer holds this number: the number is ", value,
        ", the tensor is ", name_of(like.dtype()), ". Hint: convert the tensor with to(x, Dtype::f32).");
  const auto whole = static_cast<int64_t>(value);
  if (like.dtype() == Dtype::u8) return from_vector(std::vector<uint8_t>{static_cast<uint8_t>(whole)}, Shape{});
  return from_vector(std::vector<int64_t>{whole}, Shape{});
}

// Integers are computed as unsigned, which wraps around: signed overflow would be undefined.
template <class T, class Fn>
T wrapping(T x, T y, Fn fn) {
  if constexpr (std::is_integral_v<T>) {
    using U = std::make_unsigned_t<T>;
    return static_cast<T>(fn(static_cast<U>(x), static_cast<U>(y)));
  } else {
    return fn(x, y);
  }
}

template <class T>
T integer_power(T base, T exponent) {
  if (exponent < 0) {  // 1 / a^-b, truncated
    if (base == 1) return T{1};
    return base == static_cast<T>(-1) && std::is_signed_v<T> ? static_cast<T>(exponent % 2 != 0 ? -1 : 1) : T{0};
  }
  T result = 1;
  for (; exponent > 0; exponent = static_cast<T>(exponent / 2)) {
    if (exponent % 2) result = wrapping(result, base, [](auto p, auto q) { return p * q; });
    base = wrapping(base, base, [](auto p, auto q) { return p * q; });
  }
  return result;
}

bool has_zero(const Tensor& x) {
  const Tensor y = contiguous(x);
  return dispatch(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* data = y.data<T>();
    for (int64_t i = 0; i < y.numel(); ++i) {
      if (data[i] == T{0}) return true;
    }
    return false;
  });
}

}  // namespace

Tensor add(const Tensor& a, const Tensor& b) {
  return binary("add", a, b, [](auto x, auto y) { return wrapping(x, y, [](auto p, auto q) { return p + q; }); });
}

Tensor sub(const Tensor& a, const Tensor& b) {
  return binary("sub", a, b, [](auto x, auto y) { return wrapping(x, y, [](auto p, auto q) { return p - q; }); });
}

Tensor mul(const Tensor& a, const Tensor& b) {
  return binary("mul", a, b, [](auto x, auto y) { return wrapping(x, y, [](auto p, auto q) { return p * q; }); });
}

Tensor div(const Tensor& a, const Tensor& b) {
  if (!is_float(b.dtype()))
    check(!has_zero(b), ErrorKind::kValue, "div", "integer division by zero: b is ", b.shape(), " ", name_of(b.dtype()));
  return binary("div", a, b, [](auto x, auto y) {
    using T = decltype(x);
    if constexpr (std::is_signed_v<T> && std::is_integral_v<T>) {
      if (y == -1) return static_cast<T>(wrapping(T{0}, x, [](auto p, auto q) { return p - q; }));  // x / -1 may overflow
    }
    return static_cast<T>(x / y);
  });
}

Tensor pow(const Tensor& a, const Tensor& b) {
  return binary("pow", a, b, [](auto x, auto y) {
    if constexpr (std::is_integral_v<decltype(x)>) {
      return integer_power(x, y);
    } else {
      return std::pow(x, y);
    }
  });
}

Tensor maximum(const Tensor& a, const Tensor& b) {
  return binary("maximum", a, b, [](auto x, auto y) { return ((x > y) | (x != x)) ? x : y; });
}

Tensor minimum(const Tensor& a, const Tensor& b) {
  return binary("minimum", a, b, [](auto x, auto y) { return ((x < y) | (x != x)) ? x : y; });
}

Tensor add(const Tensor& a, double b) { return add(a, number("add", b, a)); }
Tensor sub(const Tensor& a, double b) { return sub(a, number("sub", b, a)); }
Tensor mul(const Tensor& a, double b) { return mul(a, number("mul", b, a)); }
Tensor div(const Tensor& a, double b) { return div(a, number("div", b, a)); }
Tensor rsub(double a, const Tensor& b) { return sub(number("sub", a, b), b); }
Tensor rdiv(double a, const Tensor& b) { return div(number("div", a, b), b); }

Tensor pow(const Tensor& a, double b) {
  if (b == 2) return square(a);
  return pow(a, number("pow", b, a));
}

Tensor equal(const Tensor& a, const Tensor& b) {
  return comparison("equal", a, b, [](auto x, auto y) { return x == y; });
}
Tensor not_equal(const Tensor& a, const Tensor& b) {
  return comparison("not_equal", a, b, [](auto x, auto y) { return x != y; });
}
Tensor less(const Tensor& a, const Tensor& b) {
  return comparison("less", a, b, [](auto x, auto y) { return x < y; });
}
Tensor less_equal(const Tensor& a, const Tensor& b) {
  return comparison("less_equal", a, b, [](auto x, auto y) { return x <= y; });
}
Tensor greater(const Tensor& a, const Tensor& b) {
  return comparison("greater", a, b, [](auto x, auto y) { return x > y; });
}
Tensor greater_equal(const Tensor& a, const Tensor& b) {
  return comparison("greater_equal", a, b, [](auto x, auto y) { return x >= y; });
}

namespace {
void check_mask(const char* op, const Tensor& x) {
  check(x.dtype() == Dtype::u8, ErrorKind::kValue, op, "needs u8 masks: dtype is ", name_of(x.dtype()),
        ". Hint: comparisons give them.");
}
}  // namespace

Tensor logical_and(const Tensor& a, const Tensor& b) {
  check_mask("logical_and", a);
  return comparison("logical_and", a, b, [](auto x, auto y) { return x && y; });
}

Tensor logical_or(const Tensor& a, const Tensor& b) {
  check_mask("logical_or", a);
  return comparison("logical_or", a, b, [](auto x, auto y) { return x || y; });
}

Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b) {
  check_mask("where", condition);
  check_dtypes("where", a, b);
  const Shape shape = broadcast_shapes(condition.shape(), broadcast_shapes(a.shape(), b.shape(), "where"), "where");
  Tensor out = empty(shape, a.dtype(), "where");
  if (runs_plain(PlainOp::kElementwise)) {
    dispatch(a.dtype(), [&](auto zero) {
      reference::choose<decltype(zero)>(expand(condition, shape), expand(a, shape), expand(b, shape), out);
    });
    return out;
  }
  const Tensor mask = contiguous(expand(condition, shape));
  copy_(out, b);
  const Tensor x = contiguous(expand(a, shape));
  dispatch(a.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const uint8_t* mask_data = mask.data<uint8_t>();
    const T* from_data = x.data<T>();
    T* to_data = out.mutable_data<T>();
    parallel_for(out.numel(), kElementwiseGrain, [=](int64_t begin, int64_t end) {
      const uint8_t* __restrict chosen = mask_data;
      const T* __restrict from = from_data;
      T* __restrict result = to_data;
      for (int64_t i = begin; i < end; ++i) {  // reads both operands, so that the loop has no branch
        const T yes = from[i], no = result[i];
        result[i] = chosen[i] != 0 ? yes : no;
      }
    });
  });
  return out;
}

}  // namespace vitrail
