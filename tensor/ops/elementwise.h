// Elementwise functions. Binary ones broadcast (NumPy rules) and need equal dtypes; unary float functions exist for f32 and
// f64. Results are new contiguous tensors.
//
// NaN and infinity (PyTorch's rules): an element that is NaN gives NaN, in maximum, minimum, relu and clamp too, whatever the
// other operand is. Exceptions are comparisons and isfinite, which give 0 or 1, and where, which may choose the other operand.
// At infinity the result is the limit of the function: relu(-inf) = 0, silu(-inf) = 0, 1 / inf = 0. Integers are exact over
// their whole range: none goes through a float.
//
// Errors: Error(kShape) if shapes do not broadcast (both shapes are named), Error(kValue) for a dtype that the function does
// not support.
#pragma once

#include "tensor/tensor.h"

namespace vitrail {

// ---- two tensors, any dtype (add, sub, mul wrap for integers; integer div truncates, division by integer 0 is Error(kValue))
// ----
Tensor add(const Tensor& a, const Tensor& b);
Tensor sub(const Tensor& a, const Tensor& b);
Tensor mul(const Tensor& a, const Tensor& b);
Tensor div(const Tensor& a, const Tensor& b);
Tensor pow(const Tensor& a, const Tensor& b);      // a^b; integers wrap, and to a negative power give 0 unless a is 1 or -1
Tensor maximum(const Tensor& a, const Tensor& b);  // NaN if either is NaN
Tensor minimum(const Tensor& a, const Tensor& b);  // NaN if either is NaN

// ---- a tensor and a number (the number is converted to the tensor's dtype) ----
Tensor add(const Tensor& a, double b);
Tensor sub(const Tensor& a, double b);
Tensor mul(const Tensor& a, double b);
Tensor div(const Tensor& a, double b);
Tensor pow(const Tensor& a, double b);
Tensor rsub(double a, const Tensor& b);  // a - b
Tensor rdiv(double a, const Tensor& b);  // a / b

inline Tensor operator+(const Tensor& a, const Tensor& b) { return add(a, b); }
inline Tensor operator-(const Tensor& a, const Tensor& b) { return sub(a, b); }
inline Tensor operator*(const Tensor& a, const Tensor& b) { return mul(a, b); }
inline Tensor operator/(const Tensor& a, const Tensor& b) { return div(a, b); }
inline Tensor operator+(const Tensor& a, double b) { return add(a, b); }
inline Tensor operator-(const Tensor& a, double b) { return sub(a, b); }
inline Tensor operator*(const Tensor& a, double b) { return mul(a, b); }
inline Tensor operator/(const Tensor& a, double b) { return div(a, b); }
inline Tensor operator+(double a, const Tensor& b) { return add(b, a); }
inline Tensor operator-(double a, const Tensor& b) { return rsub(a, b); }
inline Tensor operator*(double a, const Tensor& b) { return mul(b, a); }
inline Tensor operator/(double a, const Tensor& b) { return rdiv(a, b); }

// ---- comparisons: u8 results, 1 or 0; comparisons with NaN are 0 (not_equal: 1) ----
Tensor equal(const Tensor& a, const Tensor& b);
Tensor not_equal(const Tensor& a, const Tensor& b);
Tensor less(const Tensor& a, const Tensor& b);
Tensor less_equal(const Tensor& a, const Tensor& b);
Tensor greater(const Tensor& a, const Tensor& b);
Tensor greater_equal(const Tensor& a, const Tensor& b);
Tensor logical_and(const Tensor& a, const Tensor& b);  // of u8
Tensor logical_or(const Tensor& a, const Tensor& b);   // of u8
Tensor logical_not(const Tensor& a);                   // of u8
Tensor isfinite(const Tensor& a);
Tensor isnan(const Tensor& a);
// a where condition (u8) is not 0, else b; all three broadcast.
Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b);

// ---- one tensor ----
// neg, abs, sign, square, round, relu and clamp take every dtype, the others f32 and f64 (else Error(kValue)).
Tensor neg(const Tensor& x);
inline Tensor operator-(const Tensor& x) { return neg(x); }
Tensor abs(const Tensor& x);
Tensor sign(const Tensor& x);  // -1, 0, 1; sign(0) = 0
Tensor square(const Tensor& x);
Tensor exp(const Tensor& x);
Tensor log(const Tensor& x);
Tensor sqrt(const Tensor& x);
Tensor rsqrt(const Tensor& x);
Tensor reciprocal(const Tensor& x);
Tensor sin(const Tensor& x);
Tensor cos(const Tensor& x);
Tensor tanh(const Tensor& x);
Tensor erf(const Tensor& x);
Tensor floor(const Tensor& x);
Tensor ceil(const Tensor& x);
Tensor round(const Tensor& x);     // half to even
Tensor sigmoid(const Tensor& x);   // 1 / (1 + e^-x), stable for any x
Tensor softplus(const Tensor& x);  // log(1 + e^x), stable for any x
Tensor relu(const Tensor& x);      // max(x, 0); NaN stays NaN
Tensor leaky_relu(const Tensor& x, double slope = 0.01);
Tensor elu(const Tensor& x, double alpha = 1);  // x > 0 ? x : alpha (e^x - 1)
Tensor silu(const Tensor& x);                   // x sigmoid(x)
// min(max(x, low), high), so the result is high where low > high. With a bound that is NaN the result is NaN (integers:
// Error(kValue)). For integers, low is rounded up and high down: clamp(x, 0.5, 2.5) is 1 or 2.
Tensor clamp(const Tensor& x, double low, double high);
// The same with bounds of x's dtype that broadcast, exact for every integer; an undefined bound does not limit.
Tensor clamp(const Tensor& x, const Tensor& low, const Tensor& high);

// GELU(x) = x Phi(x) (Hendrycks and Gimpel, arXiv:1606.08415); Phi is the normal distribution function.
enum class Gelu {
  kExact,  // Phi by erf: timm, torchvision, Hugging Face "gelu"
  kTanh,   // 0.5 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))): Flax default, Hugging Face "gelu_new"
  kQuick,  // sigmoid(1.702 x): OpenAI CLIP
};
Tensor gelu(const Tensor& x, Gelu kind = Gelu::kExact);
// dx = dy gelu'(x). Error(kShape) if the shapes differ.
Tensor gelu_backward(const Tensor& dy, const Tensor& x, Gelu kind = Gelu::kExact);
// Returns the exact gelu(x) and writes gelu'(x) into `slope`; both come from one exponential.
Tensor gelu_with_slope(const Tensor& x, Tensor& slope);

}  // namespace vitrail
