// Functions of one, two or three elements, one element after the other.
#pragma once

#include <cmath>

#include "tensor/reference/elements.h"

namespace vitrail::reference {

// y_i = fn(x_i)
template <class T, class Out, class Fn>
void map(const Tensor& x, Tensor& y, Fn fn) {
  const auto in = read<T>(x);
  const auto out = write<Out>(y);
  for (int64_t i = 0; i < y.numel(); ++i) out[i] = static_cast<Out>(fn(in[i]));
}

// y_i = fn(a_i, b_i), where the caller has expanded a and b to the shape of y (axes of extent one with stride 0).
template <class T, class Out, class Fn>
void zip(const Tensor& a, const Tensor& b, Tensor& y, Fn fn) {
  const auto left = read<T>(a), right = read<T>(b);
  const auto out = write<Out>(y);
  for (int64_t i = 0; i < y.numel(); ++i) out[i] = static_cast<Out>(fn(left[i], right[i]));
}

// y_i = a_i where condition_i is not 0, else b_i; all of the shape of y.
template <class T>
void choose(const Tensor& condition, const Tensor& a, const Tensor& b, Tensor& y) {
  const auto chosen = read<uint8_t>(condition);
  const auto yes = read<T>(a), no = read<T>(b);
  const auto out = write<T>(y);
  for (int64_t i = 0; i < y.numel(); ++i) out[i] = chosen[i] != 0 ? yes[i] : no[i];
}

// ---- functions whose fast form is an approximation ----

// 1 / (1 + e^-x), written for x < 0 as e^x / (1 + e^x), so that neither exponential overflows.
inline double sigmoid(double x) { return x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x)); }

// x sigmoid(x); at -inf its limit, 0, instead of -inf * 0.
inline double silu(double x) { return x < -750 ? 0 : x * sigmoid(x); }

// log(1 + e^x) = max(x, 0) + log(1 + e^-|x|)
inline double softplus(double x) { return (x < 0 ? 0 : x) + std::log1p(std::exp(-std::abs(x))); }

}  // namespace vitrail::reference
