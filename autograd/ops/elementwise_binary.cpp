// Two operands that broadcast, and an operand and a number.
#include <cmath>
#include <utility>

#include "autograd/ops/math.h"
#include "autograd/ops/shape.h"
#include "autograd/rule.h"
#include "tensor/ops.h"

namespace vitrail {

namespace {

// Both operands in their common shape. Where the shapes are equal already, no node is added.
std::pair<Variable, Variable> broadcast_both(const char* op, const Variable& a, const Variable& b) {
  if (a.shape() == b.shape()) return {a, b};
  const Shape shape = broadcast_shapes(a.shape(), b.shape(), op);
  return {broadcast_to(a, shape), broadcast_to(b, shape)};
}

// Keeps x for the backward pass if `needed`. For example, a product with a constant need not keep the other factor.
Saved save_if(bool needed, const Variable& x) { return needed ? Saved(x) : Saved(); }

}  // namespace

// y = a + b; da = dy, db = dy
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

// y = a - b; da = dy, db = -dy
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

Variable rsub(double a, const Variable& b) {
  return record("rsub", rsub(a, b.value()), {b}, [](const Tensor& dy, Grads& d) { d[0] = neg(dy); });
}

// y = a b; da = dy b, db = dy a. A factor is kept only if the other one requires a gradient.
Variable mul(const Variable& a, const Variable& b) {
  const auto [x, y] = broadcast_both("mul", a, b);
  // LAB 3.4 BEGIN  The product of x and y, which have one shape. Keep a factor only if the other requires a gradient.
  return record("mul", mul(x.value(), y.value()), {x, y},
                [xv = save_if(y.requires_grad(), x), yv = save_if(x.requires_grad(), y)](const Tensor& dy, Grads& d) {
                  if (d.needs(0)) d[0] = mul(dy, *yv);
                  if (d.needs(1)) d[1] = mul(dy, *xv);
                });
  // LAB 3.4 END
}

Variable mul(const Variable& a, double b) {
  return record("mul", mul(a.value(), b), {a}, [b](const Tensor& dy, Grads& d) { d[0] = mul(dy, b); });
}

// y = a / b; da = dy / b, db = -dy a / b^2
Variable div(const Variable& a, const Variable& b) {
  const auto [x, y] = broadcast_both("div", a, b);
  // LAB 3.4 BEGIN  The quotient of x and y, which have one shape. What does each gradient read?
  return record("div", div(x.value(), y.value()), {x, y},
                [av = save_if(y.requires_grad(), x), bv = Saved(y)](const Tensor& dy, Grads& d) {
                  if (d.needs(0)) d[0] = div(dy, *bv);
                  if (d.needs(1))
                    d[1] = each_element("div", [](double g, double p, double q) { return -(g / q) * (p / q); }, dy, *av, *bv);
                });
  // LAB 3.4 END
}

Variable div(const Variable& a, double b) {
  return record("div", div(a.value(), b), {a}, [b](const Tensor& dy, Grads& d) { d[0] = div(dy, b); });
}

Variable rdiv(double a, const Variable& b) {
  return record_unary("rdiv", rdiv(a, b.value()), b, [a](double dy, double x) { return -(dy / x) * (a / x); });
}

namespace {

// d/da a^b = b a^(b - 1). a^0 is 1 for any a, so its derivative is 0 (also at 0 and NaN).
double pow_by_base(double a, double b) { return b == 0 ? 0 : b * std::pow(a, b - 1); }
// d/db a^b = a^b log a. 0^b is 0 for any b > 0, so its derivative is 0, also at b = 0 by definition. Likewise inf^b for b < 0.
double pow_by_exponent(double a, double b) {
  const bool flat = (a == 0 && b >= 0) || (a == INFINITY && b < 0);
  return flat ? 0 : std::pow(a, b) * std::log(a);
}

}  // namespace

// y = a^b; da = dy b a^(b - 1), db = dy a^b log a
Variable pow(const Variable& a, const Variable& b) {
  const auto [x, p] = broadcast_both("pow", a, b);
  return record("pow", pow(x.value(), p.value()), {x, p}, [xv = Saved(x), pv = Saved(p)](const Tensor& dy, Grads& d) {
    if (d.needs(0)) d[0] = each_element("pow", [](double g, double u, double v) { return g * pow_by_base(u, v); }, dy, *xv, *pv);
    if (d.needs(1))
      d[1] = each_element("pow", [](double g, double u, double v) { return g * pow_by_exponent(u, v); }, dy, *xv, *pv);
  });
}

Variable pow(const Variable& a, double b) {
  // LAB 3.4 BEGIN  a^b for a number b. Also right at a = 0 and for b = 0; pow_by_base() above is given.
  return record_unary("pow", pow(a.value(), b), a, [b](double dy, double x) { return dy * pow_by_base(x, b); });
  // LAB 3.4 END
}

// y = max(a, b): the larger one gets dy; where they are equal, half each; where one is NaN (and so is y), both get dy.
Variable maximum(const Variable& a, const Variable& b) {
  const auto [x, y] = broadcast_both("maximum", a, b);
  return record("maximum", maximum(x.value(), y.value()), {x, y}, [xv = Saved(x), yv = Saved(y)](const Tensor& dy, Grads& d) {
    const Tensor tie = where(equal(*xv, *yv), dy * 0.5, dy), zero = scalar(0, dy.dtype());
    if (d.needs(0)) d[0] = where(less(*xv, *yv), zero, tie);
    if (d.needs(1)) d[1] = where(less(*yv, *xv), zero, tie);
  });
}

// y = min(a, b): likewise.
Variable minimum(const Variable& a, const Variable& b) {
  const auto [x, y] = broadcast_both("minimum", a, b);
  return record("minimum", minimum(x.value(), y.value()), {x, y}, [xv = Saved(x), yv = Saved(y)](const Tensor& dy, Grads& d) {
    const Tensor tie = where(equal(*xv, *yv), dy * 0.5, dy), zero = scalar(0, dy.dtype());
    if (d.needs(0)) d[0] = where(greater(*xv, *yv), zero, tie);
    if (d.needs(1)) d[1] = where(greater(*yv, *xv), zero, tie);
  });
}

// y = condition ? a : b; dy goes to the operand that the value came from, 0 to the other.
Variable where(const Tensor& condition, const Variable& a, const Variable& b) {
  const Shape shape = broadcast_shapes(condition.shape(), broadcast_shapes(a.shape(), b.shape(), "where"), "where");
  const Variable x = broadcast_to(a, shape), y = broadcast_to(b, shape);
  return record("where", where(condition, x.value(), y.value()), {x, y}, [mask = Saved(condition)](const Tensor& dy, Grads& d) {
    const Tensor zero = scalar(0, dy.dtype());
    if (d.needs(0)) d[0] = where(*mask, dy, zero);
    if (d.needs(1)) d[1] = where(*mask, zero, dy);
  });
}

}  // namespace vitrail
