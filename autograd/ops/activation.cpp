// Activation functions, softmax and log-softmax.
#include <cmath>

#include "autograd/ops/layers.h"
#include "autograd/rule.h"
#include "tensor/ops.h"

namespace vitrail {

namespace {

// sigmoid(x) and its derivative e / (1 + e)^2 with e = e^-|x|: neither overflows, and the derivative stays accurate where
// sigmoid(x) is near 1.
double logistic(double x) {
  const double e = std::exp(-std::abs(x));
  return (x < 0 ? e : 1) / (1 + e);
}
double logistic_slope(double x) {
  const double e = std::exp(-std::abs(x));
  return e / ((1 + e) * (1 + e));
}

}  // namespace

// y = max(x, 0); dx = 0 where y <= 0, else dy (also at NaN).
// Keeps y instead of x: the next layer keeps y as its input anyway, so this takes no memory.
Variable relu(const Variable& x) {
  // LAB 3.4 BEGIN  max(x, 0), with the gradient 0 at x = 0. The result tells the gradient.
  Tensor y = relu(x.value());
  return record("relu", y, {x}, [yv = Saved(y)](const Tensor& dy, Grads& d) {
    const Tensor zero = scalar(0, dy.dtype());
    d[0] = where(less_equal(*yv, zero), zero, dy);
  });
  // LAB 3.4 END
}

// y = x > 0 ? x : slope x; dx = dy or slope dy
Variable leaky_relu(const Variable& x, double slope) {
  return record("leaky_relu", leaky_relu(x.value(), slope), {x}, [xv = Saved(x), slope](const Tensor& dy, Grads& d) {
    d[0] = where(greater(*xv, scalar(0, dy.dtype())), dy, dy * slope);
  });
}

// y = x > 0 ? x : alpha (e^x - 1); dx = dy or dy alpha e^x (Clevert et al., arXiv:1511.07289)
Variable elu(const Variable& x, double alpha) {
  return record("elu", elu(x.value(), alpha), {x}, [xv = Saved(x), alpha](const Tensor& dy, Grads& d) {
    d[0] = each_element("elu", [alpha](double g, double v) { return v > 0 ? g : g * alpha * std::exp(v); }, dy, *xv);
  });
}

// y = 1 / (1 + e^-x); dx = dy y (1 - y)
Variable sigmoid(const Variable& x) {
  return record("sigmoid", sigmoid(x.value()), {x}, [xv = Saved(x)](const Tensor& dy, Grads& d) {
    d[0] = each_element("sigmoid", [](double g, double v) { return g * logistic_slope(v); }, dy, *xv);
  });
}

// y = log(1 + e^x); dx = dy sigmoid(x)
Variable softplus(const Variable& x) {
  return record("softplus", softplus(x.value()), {x},
                [xv = Saved(x)](const Tensor& dy, Grads& d) { d[0] = dy * sigmoid(*xv); });
}

// y = x s with s = sigmoid(x); dx = dy (s + x s'), which is 1 at inf and 0 at -inf
Variable silu(const Variable& x) {
  return record("silu", silu(x.value()), {x}, [xv = Saved(x)](const Tensor& dy, Grads& d) {
    const auto slope = [](double v) { return logistic(v) + (std::isinf(v) ? 0 : v * logistic_slope(v)); };
    d[0] = each_element("silu", [slope](double g, double v) { return g * slope(v); }, dy, *xv);
  });
}

// y = x Phi(x); dx = dy (Phi(x) + x Phi'(x)), in one pass for each kind of Phi
Variable gelu(const Variable& x, Gelu kind) {
  return record("gelu", gelu(x.value(), kind), {x},
                [xv = Saved(x), kind](const Tensor& dy, Grads& d) { d[0] = gelu_backward(dy, *xv, kind); });
}

namespace {

// Subtracts from dy of each row the element of dy where y is largest. A constant added to dy does not change the gradient of
// softmax, because the y of a row sum to one. This constant makes the term zero whose y may have been rounded to 1.
Tensor shifted_by_largest(const Tensor& dy, const Tensor& y, int axis) {
  if (dy.dim() == 0 || dy.numel() == 0) return dy;
  return dy - gather(dy, axis, argmax(y, axis, /*keepdim=*/true));
}

}  // namespace

// y_i = e^x_i / sum_j e^x_j; dx_i = y_i (dy_i - sum_j y_j dy_j)
Variable softmax(const Variable& x, int axis) {
  const Tensor y = softmax(x.value(), axis);
  return record("softmax", y, {x}, [yv = Saved(y), axis](const Tensor& dy, Grads& d) {
    d[0] = softmax_backward(shifted_by_largest(dy, *yv, axis), *yv, axis);
  });
}

// y = x - log sum_j e^x_j; dx_i = dy_i - e^y_i sum_j dy_j. In double, since dy - e^y sum(dy) cancels where e^y is near 1.
Variable log_softmax(const Variable& x, int axis) {
  const Tensor y = log_softmax(x.value(), axis);
  return record("log_softmax", y, {x}, [yv = Saved(y), axis](const Tensor& dy, Grads& d) {
    d[0] = to(log_softmax_backward(to(dy, Dtype::f64), to(*yv, Dtype::f64), axis), dy.dtype());
  });
}

}  // namespace vitrail
