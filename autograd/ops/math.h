// Differentiable arithmetic: two operands that broadcast, functions of one operand, reductions over axes.
// The tensor function of the same name (tensor/ops/elementwise.h, reduce.h) computes the value. Formula, shapes and errors are
// documented there.
//
// Binary ops broadcast by broadcast_to, whose backward pass sums the gradient over the copies. Mixed float dtypes are an
// Error(kValue).
// NaN: if x is NaN and so is y, the gradient of x is not 0. Piecewise linear functions (except abs) pass dy on, as they do
// inside the range that they leave unchanged; the gradient of a smooth function is NaN. At infinity, a gradient is its limit.
#pragma once

#include <vector>

#include "autograd/record.h"
#include "tensor/ops/elementwise.h"
#include "tensor/ops/indexing.h"
#include "tensor/ops/reduce.h"

namespace vitrail {

// ---- two operands, broadcasting ----
Variable add(const Variable& a, const Variable& b);
Variable sub(const Variable& a, const Variable& b);
Variable mul(const Variable& a, const Variable& b);
Variable div(const Variable& a, const Variable& b);
Variable pow(const Variable& a, const Variable& b);      // d/db needs a > 0
Variable maximum(const Variable& a, const Variable& b);  // where equal, half the gradient each; where one is NaN, both get dy
Variable minimum(const Variable& a, const Variable& b);
Variable where(const Tensor& condition, const Variable& a, const Variable& b);

Variable add(const Variable& a, double b);
Variable sub(const Variable& a, double b);
Variable mul(const Variable& a, double b);
Variable div(const Variable& a, double b);
Variable pow(const Variable& a, double b);
Variable rsub(double a, const Variable& b);
Variable rdiv(double a, const Variable& b);

inline Variable operator+(const Variable& a, const Variable& b) { return add(a, b); }
inline Variable operator-(const Variable& a, const Variable& b) { return sub(a, b); }
inline Variable operator*(const Variable& a, const Variable& b) { return mul(a, b); }
inline Variable operator/(const Variable& a, const Variable& b) { return div(a, b); }
inline Variable operator+(const Variable& a, double b) { return add(a, b); }
inline Variable operator-(const Variable& a, double b) { return sub(a, b); }
inline Variable operator*(const Variable& a, double b) { return mul(a, b); }
inline Variable operator/(const Variable& a, double b) { return div(a, b); }
inline Variable operator+(double a, const Variable& b) { return add(b, a); }
inline Variable operator-(double a, const Variable& b) { return rsub(a, b); }
inline Variable operator*(double a, const Variable& b) { return mul(b, a); }
inline Variable operator/(double a, const Variable& b) { return rdiv(a, b); }

// ---- one operand ----
Variable neg(const Variable& x);
inline Variable operator-(const Variable& x) { return neg(x); }
Variable abs(const Variable& x);  // gradient 0 at 0, NaN at NaN
Variable square(const Variable& x);
Variable exp(const Variable& x);
Variable log(const Variable& x);
Variable sqrt(const Variable& x);  // gradient inf at 0
Variable rsqrt(const Variable& x);
Variable reciprocal(const Variable& x);
Variable sin(const Variable& x);
Variable cos(const Variable& x);
Variable tanh(const Variable& x);
Variable erf(const Variable& x);
// Gradient dy on [low, high] and at NaN, else 0.
Variable clamp(const Variable& x, double low, double high);

// ---- reductions ----
Variable sum(const Variable& x, const Axes& axes = {}, bool keepdim = false);
Variable mean(const Variable& x, const Axes& axes = {}, bool keepdim = false);
// The gradient is exact with zeros in x too, and neither overflows nor underflows if its result does not.
Variable prod(const Variable& x, const Axes& axes = {}, bool keepdim = false);
Variable max(const Variable& x, const Axes& axes = {}, bool keepdim = false);   // equal maxima share dy, or else the NaNs of x
Variable min(const Variable& x, const Axes& axes = {}, bool keepdim = false);
Variable var(const Variable& x, const Axes& axes = {}, bool keepdim = false, double correction = 1);
// Elements of +inf share dy. In a range of -inf only, all gradients are 0.
Variable logsumexp(const Variable& x, const Axes& axes = {}, bool keepdim = false);
Variable cumsum(const Variable& x, int axis);

}  // namespace vitrail
