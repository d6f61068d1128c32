#include "tensor/kernels/softmax.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tensor/machine/fast_exp.h"
#include "tensor/machine/parallel.h"

namespace vitrail::kernels {
namespace {

template <class T>
constexpr T kLowest = std::numeric_limits<T>::lowest();

// The maximum of a row, by which it is shifted; 0 for a row of -inf only.
template <class T>
T shift_of(const T* x, int64_t n) {
  T high = -std::numeric_limits<T>::infinity();
#pragma omp simd reduction(max : high)
  for (int64_t i = 0; i < n; ++i) high = x[i] > high ? x[i] : high;
  return high == -std::numeric_limits<T>::infinity() ? T{0} : high;
}

template <class T>
double dot(const T* a, const T* b, int64_t n) {
  double total = 0;
#pragma omp simd reduction(+ : total)
  for (int64_t i = 0; i < n; ++i) total += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return total;
}

template <class T>
void softmax_row(const T* in, T* out, int64_t n) {
  const T shift = shift_of(in, n);
  for (int64_t i = 0; i < n; ++i) out[i] = fast_exp(in[i] - shift);
  double total = 0;
#pragma omp simd reduction(+ : total)
  for (int64_t i = 0; i < n; ++i) total += static_cast<double>(out[i]);
  const T factor = total == 0 ? T{0} : static_cast<T>(1 / total);
  for (int64_t i = 0; i < n; ++i) out[i] *= factor;
}

template <class T>
void log_softmax_row(const T* in, T* out, int64_t n) {
  const T shift = shift_of(in, n);
  double total = 0;
#pragma omp simd reduction(+ : total)
  for (int64_t i = 0; i < n; ++i) total += static_cast<double>(fast_exp(in[i] - shift));
  const T log_total = total == 0 ? T{0} : static_cast<T>(std::log(total));
  for (int64_t i = 0; i < n; ++i) {
    const T y = in[i] - shift - log_total;
    const bool sunk = y < kLowest<T>, finite = in[i] >= kLowest<T>;
    out[i] = (sunk & finite) ? kLowest<T> : y;
  }
}

template <class T>
void softmax_backward_row(const T* g, const T* p, T* out, int64_t n) {
  const T s = static_cast<T>(dot(g, p, n));
  for (int64_t i = 0; i < n; ++i) out[i] = p[i] * (g[i] - s);
}

template <class T>
void log_softmax_backward_row(const T* g, const T* lp, T* out, int64_t n) {
  double total = 0;
#pragma omp simd reduction(+ : total)
  for (int64_t i = 0; i < n; ++i) total += static_cast<double>(g[i]);
  for (int64_t i = 0; i < n; ++i) out[i] = g[i] - fast_exp(lp[i]) * static_cast<T>(total);
}

// Calls row(in, other, out, n) for every row of n elements; `other` may be undefined.
template <class Row>
void for_each_row(const char* op, const Tensor& in, const Tensor& other, Tensor out, Row row) {
  const int64_t n = in.size(-1);
  dispatch_float(op, in.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* pi = in.data<T>();
    const T* ps = other.defined() ? other.data<T>() : nullptr;
    T* po = out.mutable_data<T>();
    parallel_for(n > 0 ? in.numel() / n : 0, std::max<int64_t>(1, kElementwiseGrain / std::max<int64_t>(n, 1)),
                 [&](int64_t begin, int64_t end) {
                   for (int64_t i = begin; i < end; ++i) row(pi + i * n, ps ? ps + i * n : nullptr, po + i * n, n);
                 });
  });
}

}  // namespace

void softmax(const Tensor& x, Tensor y) {
  for_each_row("softmax", x, {}, y, [](const auto* in, const auto*, auto* out, int64_t n) { softmax_row(in, out, n); });
}

void log_softmax(const Tensor& x, Tensor y) {
  for_each_row("log_softmax", x, {}, y, [](const auto* in, const auto*, auto* out, int64_t n) { log_softmax_row(in, out, n); });
}

void softmax_backward(const Tensor& dy, const Tensor& y, Tensor dx) {
  for_each_row("softmax", dy, y, dx,
               [](const auto* g, const auto* p, auto* out, int64_t n) { softmax_backward_row(g, p, out, n); });
}

void log_softmax_backward(const Tensor& dy, const Tensor& y, Tensor dx) {
  for_each_row("log_softmax", dy, y, dx,
               [](const auto* g, const auto* lp, auto* out, int64_t n) { log_softmax_backward_row(g, lp, out, n); });
}

}  // namespace vitrail::kernels
