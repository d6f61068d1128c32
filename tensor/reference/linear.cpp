#include "tensor/reference/linear.h"

#include "tensor/reference/elements.h"
#include "tensor/reference/rounding.h"

namespace vitrail::reference {
namespace {

template <class T>
double factor(T value, bool is_rounded) {
  return is_rounded ? rounded(static_cast<double>(value)) : static_cast<double>(value);
}

// y_ij = sum_k x_ik w_jk + b_j
template <class T>
void forward(const Tensor& x, const Tensor& weight, const Tensor& bias, Tensor& y, bool rounded) {
  const int64_t outputs = weight.size(0), inputs = weight.size(1);
  const auto in = read<T>(x), w = read<T>(weight);
  const auto out = write<T>(y);
  // LAB 4.2 BEGIN  y = x W^T + b, summed in double. factor() makes a number a double, rounded if asked.
  for (int64_t i = 0; i < row_count(y); ++i) {
    for (int64_t j = 0; j < outputs; ++j) {
      double sum = bias.defined() ? static_cast<double>(read<T>(bias)(j)) : 0;
      for (int64_t k = 0; k < inputs; ++k) sum += factor(in[i * inputs + k], rounded) * factor(w(j, k), rounded);
      out[i * outputs + j] = static_cast<T>(sum);
    }
  }
  // LAB 4.2 END
}

// dx_ik = sum_j dy_ij w_jk
template <class T>
void backward_input(const Tensor& dy, const Tensor& weight, Tensor& dx, bool rounded) {
  const int64_t outputs = weight.size(0), inputs = weight.size(1);
  const auto g = read<T>(dy), w = read<T>(weight);
  const auto out = write<T>(dx);
  // LAB 4.2 BEGIN  dx = dy W
  for (int64_t i = 0; i < row_count(dx); ++i) {
    for (int64_t k = 0; k < inputs; ++k) {
      double sum = 0;
      for (int64_t j = 0; j < outputs; ++j) sum += factor(g[i * outputs + j], rounded) * factor(w(j, k), rounded);
      out[i * inputs + k] = static_cast<T>(sum);
    }
  }
  // LAB 4.2 END
}

// dw_jk = sum_i dy_ij x_ik
template <class T>
void backward_weight(const Tensor& dy, const Tensor& x, Tensor& dw, bool accumulate, bool rounded) {
  const int64_t outputs = dw.size(0), inputs = dw.size(1);
  const auto g = read<T>(dy), in = read<T>(x);
  const auto out = write<T>(dw);
  // LAB 4.2 BEGIN  dw = dy^T x, or, with accumulate, dw += dy^T x
  for (int64_t j = 0; j < outputs; ++j) {
    for (int64_t k = 0; k < inputs; ++k) {
      double sum = accumulate ? static_cast<double>(out(j, k)) : 0;
      for (int64_t i = 0; i < row_count(x); ++i)
        sum += factor(g[i * outputs + j], rounded) * factor(in[i * inputs + k], rounded);
      out(j, k) = static_cast<T>(sum);
    }
  }
  // LAB 4.2 END
}

}  // namespace

void linear(const Tensor& x, const Tensor& weight, const Tensor& bias, Tensor y, bool rounded) {
  dispatch_float("linear", y.dtype(), [&](auto zero) { forward<decltype(zero)>(numbers_of(x), weight, bias, y, rounded); });
}

void linear_backward_input(const Tensor& dy, const Tensor& weight, Tensor dx, bool rounded) {
  dispatch_float("linear", dx.dtype(), [&](auto zero) { backward_input<decltype(zero)>(numbers_of(dy), weight, dx, rounded); });
}

void linear_backward_weight(const Tensor& dy, const Tensor& x, Tensor dw, bool accumulate, bool rounded) {
  dispatch_float("linear", dw.dtype(),
                 [&](auto zero) { backward_weight<decltype(zero)>(numbers_of(dy), numbers_of(x), dw, accumulate, rounded); });
}

// db_j = sum_i dy_ij
void linear_backward_bias(const Tensor& dy, Tensor db) {
  const Tensor numbers = numbers_of(dy);
  dispatch_float("linear", db.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const auto g = read<T>(numbers);
    const auto out = write<T>(db);
    // LAB 4.2 BEGIN  db = the sum of dy over its rows
    for (int64_t j = 0; j < db.numel(); ++j) {
      double sum = 0;
      for (int64_t i = 0; i < row_count(dy); ++i) sum += static_cast<double>(g[i * db.numel() + j]);
      out[j] = static_cast<T>(sum);
    }
    // LAB 4.2 END
  });
}

}  // namespace vitrail::reference
