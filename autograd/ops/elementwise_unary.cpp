// Functions of one operand.
#include <cmath>
#include <numbers>

#include "autograd/ops/math.h"
#include "autograd/rule.h"
#include "tensor/ops.h"

namespace vitrail {

// y = -x; dx = -dy
Variable neg(const Variable& x) {
  return record("neg", neg(x.value()), {x}, [](const Tensor& dy, Grads& d) { d[0] = neg(dy); });
}

// y = |x|; dx = dy sign(x), with sign(0) = 0 and sign(NaN) = NaN
Variable abs(const Variable& x) {
  return record("abs", abs(x.value()), {x}, [xv = Saved(x)](const Tensor& dy, Grads& d) { d[0] = dy * sign(*xv); });
}

// y = x^2; dx = 2 dy x
Variable square(const Variable& x) {
  return record("square", square(x.value()), {x}, [xv = Saved(x)](const Tensor& dy, Grads& d) { d[0] = dy * *xv * 2; });
}

// y = sqrt(x); dx = dy / (2 y)
Variable sqrt(const Variable& x) {
  // LAB 3.4 BEGIN  The root of x. The result tells the gradient, so that x need not be kept.
  Tensor y = sqrt(x.value());
  return record("sqrt", y, {x}, [yv = Saved(y)](const Tensor& dy, Grads& d) { d[0] = dy / (*yv * 2); });
  // LAB 3.4 END
}

// y = x^(-1/2); dx = -dy / (2 x sqrt(x))
Variable rsqrt(const Variable& x) {
  return record_unary("rsqrt", rsqrt(x.value()), x, [](double dy, double v) { return -0.5 * (dy / v) / std::sqrt(v); });
}

// y = 1 / x; dx = -dy / x^2
Variable reciprocal(const Variable& x) {
  return record_unary("reciprocal", reciprocal(x.value()), x, [](double dy, double v) { return -(dy / v) / v; });
}

// y = e^x; dx = dy y
Variable exp(const Variable& x) {
  // LAB 3.4 BEGIN  e^x. The result tells the gradient, so that x need not be kept.
  Tensor y = exp(x.value());
  return record("exp", y, {x}, [yv = Saved(y)](const Tensor& dy, Grads& d) { d[0] = dy * *yv; });
  // LAB 3.4 END
}

// y = log x; dx = dy / x
Variable log(const Variable& x) {
  // LAB 3.4 BEGIN  The natural logarithm of x.
  return record("log", log(x.value()), {x}, [xv = Saved(x)](const Tensor& dy, Grads& d) { d[0] = dy / *xv; });
  // LAB 3.4 END
}

// y = sin x; dx = dy cos x
Variable sin(const Variable& x) {
  return record("sin", sin(x.value()), {x}, [xv = Saved(x)](const Tensor& dy, Grads& d) { d[0] = dy * cos(*xv); });
}

// y = cos x; dx = -dy sin x
Variable cos(const Variable& x) {
  return record("cos", cos(x.value()), {x}, [xv = Saved(x)](const Tensor& dy, Grads& d) { d[0] = neg(dy * sin(*xv)); });
}

// y = tanh x; dx = dy / cosh^2 x = dy 4 e / (1 + e)^2 with e = e^(-2 |x|). 1 - y^2 would cancel where y is near 1.
Variable tanh(const Variable& x) {
  // LAB 3.4 BEGIN  tanh x. 1 - y^2 cancels where |y| is near 1: at x = 15 the gradient's relative error is to be below 1e-10.
  return record_unary("tanh", tanh(x.value()), x, [](double dy, double v) {
    const double e = std::exp(-2 * std::abs(v));
    return dy * 4 * e / ((1 + e) * (1 + e));
  });
  // LAB 3.4 END
}

// y = erf x; dx = dy 2 / sqrt(pi) e^(-x^2)
Variable erf(const Variable& x) {
  return record_unary("erf", erf(x.value()), x,
                      [](double dy, double v) { return dy * (2 * std::numbers::inv_sqrtpi) * std::exp(-v * v); });
}

// y = min(max(x, low), high); dx = 0 where x lies outside [low, high], else dy (also at NaN, where y is NaN)
Variable clamp(const Variable& x, double low, double high) {
  return record("clamp", clamp(x.value(), low, high), {x}, [xv = Saved(x), low, high](const Tensor& dy, Grads& d) {
    const Dtype dtype = dy.dtype();
    const Tensor outside = logical_or(less(*xv, scalar(low, dtype)), greater(*xv, scalar(high, dtype)));
    d[0] = where(outside, scalar(0, dtype), dy);
  });
}

// y = x in another float dtype; dx = dy in the dtype of x. An integer result is refused, since it would cut the graph silently.
Variable to(const Variable& x, Dtype dtype) {
  if (x.dtype() == dtype) return x;
  check(is_float(x.dtype()) && is_float(dtype), ErrorKind::kValue, "to", "converts between f32 and f64 only: x is ",
        name_of(x.dtype()), ", dtype is ", name_of(dtype), ". Hint: convert the value, to(x.value(), dtype).");
  return record("to", to(x.value(), dtype), {x}, [from = x.dtype()](const Tensor& dy, Grads& d) { d[0] = to(dy, from); });
}

}  // namespace vitrail
