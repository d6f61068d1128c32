// Two operands that broadcast, an operand and a number, and functions of one operand.
#include <numbers>
#include <utility>

#include "autograd/ops.h"

namespace vitrail {

namespace {

// Both operands in their common shape. Where the shapes are equal already, no node is added.
std::pair<Variable, Variable> broadcast_both(const char* op, const Variable& a, const Variable& b) {
  if (a.shape() == b.shape()) return {a, b};
  const Shape shape = broadcast_shapes(a.shape(), b.shape(), op);
  return {broadcast_to(a, shape), broadcast_to(b, shape)};
}

// x kept for the backward pass if `needed`, else nothing: a product with a constant need not keep the other factor.
Saved save_if(bool needed, const Variable& x) { return needed ? Saved(x) : Saved(); }

}  // namespace

// y = a + b
Variable add(const Variable& a, const Variable& b) {
  const auto [x, y] = broadcast_both("add", a, b);
  return record("add", add(x.value(), y.value()), {x, y}, [](const Tensor& dy, Grads& d) {
    d[0] = dy;
    d[1] = dy;
  });
}

Variable add(const Variable& a, double b) {
  return record("add", add(a.value(), b), {a}, [](const Tensor& dy, Grads& d) { d[0] = dy; });
}

// y = a - b
Variable sub(const Variable& a, const Variable& b) {
  const auto [x, y] = broadcast_both("sub", a, b);
  return record("sub", sub(x.value(), y.value()), {x, y}, [](const Tensor& dy, Grads& d) {
    d[0] = dy;
    if (d.needs(1)) d[1] = neg(dy);
  });
}

Variable sub(const Variable& a, double b) {
  return record("sub", sub(a.value(), b), {a}, [](const Tensor& dy, Grads& d) { d[0] = dy; });
}

// y = a - b with a number a
Variable rsub(double a, const Variable& b) {
  return record("rsub", rsub(a, b.value()), {b}, [](const Tensor& dy, Grads& d) { d[0] = neg(dy); });
}

// y = a b: each factor is the derivative by the other, and is kept only if the other wants one.
Variable mul(const Variable& a, const Variable& b) {
  const auto [x, y] = broadcast_both("mul", a, b);
  return record("mul", mul(x.value(), y.value()), {x, y},
                [xv = save_if(y.requires_grad(), x), yv = save_if(x.requires_grad(), y)](const Tensor& dy, Grads& d) {
                  if (d.needs(0)) d[0] = mul(dy, *yv);
                  if (d.needs(1)) d[1] = mul(dy, *xv);
                });
}

Variable mul(const Variable& a, double b) {
  return record("mul", mul(a.value(), b), {a}, [b](const Tensor& dy, Grads& d) { d[0] = mul(dy, b); });
}

// y = a / b: dy/da = 1 / b, dy/db = -y / b
Variable div(const Variable& a, const Variable& b) {
  const auto [x, y] = broadcast_both("div", a, b);
  const Variable quotient(div(x.value(), y.value()));
  return record("div", quotient.value(), {x, y},
                [yv = Saved(y), qv = save_if(y.requires_grad(), quotient)](const Tensor& dy, Grads& d) {
                  const Tensor dx = div(dy, *yv);
                  if (d.needs(0)) d[0] = dx;
                  if (d.needs(1)) d[1] = neg(mul(dx, *qv));
                });
}

Variable div(const Variable& a, double b) {
  return record("div", div(a.value(), b), {a}, [b](const Tensor& dy, Grads& d) { d[0] = div(dy, b); });
}

// y = a / b with a number a: dy/db = -y / b
Variable rdiv(double a, const Variable& b) {
  Tensor y = rdiv(a, b.value());
  return record("rdiv", y, {b},
                [bv = Saved(b), yv = Saved(y)](const Tensor& dy, Grads& d) { d[0] = neg(div(mul(dy, *yv), *bv)); });
}

// y = a^b: dy/da = b a^(b - 1), dy/db = y log a.
// The limits at a = 0 are set by hand: 0^b does not move with b >= 0, and a^0 does not move with a.
Variable pow(const Variable& a, const Variable& b) {
  const auto [x, p] = broadcast_both("pow", a, b);
  const Variable power(pow(x.value(), p.value()));
  return record("pow", power.value(), {x, p},
                [xv = Saved(x), pv = Saved(p), yv = save_if(p.requires_grad(), power)](const Tensor& dy, Grads& d) {
                  const Tensor zero = scalar(0, dy.dtype());
                  if (d.needs(0)) d[0] = where(equal(*pv, zero), zero, dy * (*pv * pow(*xv, *pv - 1)));
                  if (d.needs(1)) {
                    const Tensor flat = logical_and(equal(*xv, zero), greater_equal(*pv, zero));
                    d[1] = where(flat, zero, dy * (*yv * log(*xv)));
                  }
                });
}

Variable pow(const Variable& a, double b) {
  return record("pow", pow(a.value(), b), {a}, [av = Saved(a), b](const Tensor& dy, Grads& d) {
    d[0] = b == 0 ? zeros(dy.shape(), dy.dtype()) : dy * (b * pow(*av, b - 1));
  });
}

// The larger of two gets the gradient; where they are equal, half each.
Variable maximum(const Variable& a, const Variable& b) {
  const auto [x, y] = broadcast_both("maximum", a, b);
  return record("maximum", maximum(x.value(), y.value()), {x, y}, [xv = Saved(x), yv = Saved(y)](const Tensor& dy, Grads& d) {
    const Tensor tie = where(equal(*xv, *yv), dy * 0.5, scalar(0, dy.dtype()));
    if (d.needs(0)) d[0] = where(greater(*xv, *yv), dy, tie);
    if (d.needs(1)) d[1] = where(greater(*yv, *xv), dy, tie);
  });
}

// The smaller of two gets the gradient; where they are equal, half each.
Variable minimum(const Variable& a, const Variable& b) {
  const auto [x, y] = broadcast_both("minimum", a, b);
  return record("minimum", minimum(x.value(), y.value()), {x, y}, [xv = Saved(x), yv = Saved(y)](const Tensor& dy, Grads& d) {
    const Tensor tie = where(equal(*xv, *yv), dy * 0.5, scalar(0, dy.dtype()));
    if (d.needs(0)) d[0] = where(less(*xv, *yv), dy, tie);
    if (d.needs(1)) d[1] = where(less(*yv, *xv), dy, tie);
  });
}

// y = condition ? a : b: the gradient goes where the value came from.
Variable where(const Tensor& condition, const Variable& a, const Variable& b) {
  const Shape shape = broadcast_shapes(condition.shape(), broadcast_shapes(a.shape(), b.shape(), "where"), "where");
  const Variable x = broadcast_to(a, shape), y = broadcast_to(b, shape);
  return record("where", where(condition, x.value(), y.value()), {x, y}, [mask = Saved(condition)](const Tensor& dy, Grads& d) {
    const Tensor zero = scalar(0, dy.dtype());
    if (d.needs(0)) d[0] = where(*mask, dy, zero);
    if (d.needs(1)) d[1] = where(*mask, zero, dy);
  });
}

// y = -x, y' = -1
Variable neg(const Variable& x) {
  return record("neg", neg(x.value()), {x}, [](const Tensor& dy, Grads& d) { d[0] = neg(dy); });
}

// y = |x|, y' = sign(x); 0 at 0
Variable abs(const Variable& x) {
  return record("abs", abs(x.value()), {x}, [xv = Saved(x)](const Tensor& dy, Grads& d) { d[0] = dy * sign(*xv); });
}

// y = x^2, y' = 2 x
Variable square(const Variable& x) {
  return record("square", square(x.value()), {x}, [xv = Saved(x)](const Tensor& dy, Grads& d) { d[0] = dy * (*xv * 2); });
}

// y = sqrt(x), y' = 1 / (2 y)
Variable sqrt(const Variable& x) {
  Tensor y = sqrt(x.value());
  return record("sqrt", y, {x}, [yv = Saved(y)](const Tensor& dy, Grads& d) { d[0] = dy / (*yv * 2); });
}

// y = 1 / sqrt(x), y' = -y^3 / 2
Variable rsqrt(const Variable& x) {
  Tensor y = rsqrt(x.value());
  return record("rsqrt", y, {x}, [yv = Saved(y)](const Tensor& dy, Grads& d) { d[0] = dy * (*yv * square(*yv) * -0.5); });
}

// y = 1 / x, y' = -y^2
Variable reciprocal(const Variable& x) {
  Tensor y = reciprocal(x.value());
  return record("reciprocal", y, {x}, [yv = Saved(y)](const Tensor& dy, Grads& d) { d[0] = neg(dy * square(*yv)); });
}

// y = e^x, y' = y
Variable exp(const Variable& x) {
  Tensor y = exp(x.value());
  return record("exp", y, {x}, [yv = Saved(y)](const Tensor& dy, Grads& d) { d[0] = dy * *yv; });
}

// y = log x, y' = 1 / x
Variable log(const Variable& x) {
  return record("log", log(x.value()), {x}, [xv = Saved(x)](const Tensor& dy, Grads& d) { d[0] = dy / *xv; });
}

// y = sin x, y' = cos x
Variable sin(const Variable& x) {
  return record("sin", sin(x.value()), {x}, [xv = Saved(x)](const Tensor& dy, Grads& d) { d[0] = dy * cos(*xv); });
}

// y = cos x, y' = -sin x
Variable cos(const Variable& x) {
  return record("cos", cos(x.value()), {x}, [xv = Saved(x)](const Tensor& dy, Grads& d) { d[0] = neg(dy * sin(*xv)); });
}

// y = tanh x, y' = 1 - y^2
Variable tanh(const Variable& x) {
  Tensor y = tanh(x.value());
  return record("tanh", y, {x}, [yv = Saved(y)](const Tensor& dy, Grads& d) { d[0] = dy * (1 - square(*yv)); });
}

// y = erf x, y' = 2 / sqrt(pi) e^(-x^2)
Variable erf(const Variable& x) {
  return record("erf", erf(x.value()), {x}, [xv = Saved(x)](const Tensor& dy, Grads& d) {
    d[0] = dy * (exp(neg(square(*xv))) * (2 * std::numbers::inv_sqrtpi));
  });
}

// y = min(max(x, low), high), y' = 1 on [low, high], 0 outside
Variable clamp(const Variable& x, double low, double high) {
  return record("clamp", clamp(x.value(), low, high), {x}, [xv = Saved(x), low, high](const Tensor& dy, Grads& d) {
    const Dtype dtype = dy.dtype();
    const Tensor inside = logical_and(greater_equal(*xv, scalar(low, dtype)), less_equal(*xv, scalar(high, dtype)));
    d[0] = where(inside, dy, scalar(0, dtype));
  });
}

// Between f32 and f64; the gradient goes back in the input's precision. An integer result would cut the graph without a word.
Variable to(const Variable& x, Dtype dtype) {
  if (x.dtype() == dtype) return x;
  check(is_float(x.dtype()) && is_float(dtype), ErrorKind::kValue, "to", "converts between f32 and f64 only: x is ",
        name_of(x.dtype()), ", dtype is ", name_of(dtype), ". Hint: convert the value, to(x.value(), dtype).");
  return record("to", to(x.value(), dtype), {x}, [from = x.dtype()](const Tensor& dy, Grads& d) { d[0] = to(dy, from); });
}

}  // namespace vitrail
