// Lab 10, exercise 10.3: bias and GELU in one pass. x has `rows` rows of `cols` columns, row-major without gaps.
//   gelu(z) = z Phi(z),   gelu'(z) = Phi(z) + z phi(z),
//   Phi(z) = (1 + erf(z / sqrt 2)) / 2,   phi(z) = e^(-z^2 / 2) / sqrt(2 pi)
// Source: Hendrycks and Gimpel, arXiv:1606.08415. The framework's own: autograd/ops/product.cpp, linear_gelu.
#pragma once

#include <cstdint>

namespace lab {

// y_ij = gelu(x_ij + bias_j), and slope_ij = gelu'(x_ij + bias_j) unless slope is null. Every x is read once, every y and slope
// written once, and no memory is taken. y may be x.
template <class T>
void bias_gelu(const T* x, const T* bias, T* y, T* slope, int64_t rows, int64_t cols);

// dx_ij = dy_ij slope_ij and dbias_j = sum_i dx_ij (which overwrites what is there). Every dy and slope is read once, every dx
// written once. dx may be dy.
template <class T>
void bias_gelu_backward(const T* dy, const T* slope, T* dx, double* dbias, int64_t rows, int64_t cols);

}  // namespace lab
