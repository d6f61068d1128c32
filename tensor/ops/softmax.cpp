#include "tensor/ops/softmax.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tensor/machine/fast_exp.h"
#include "tensor/machine/parallel.h"
#include "tensor/plain.h"
#include "tensor/reference/softmax.h"
#include "tensor/view.h"

namespace vitrail {
namespace {

template <class T>
constexpr T kLowest = std::numeric_limits<T>::lowest();

// Plain forms over the last axis: (x, y), or (dy, y, dx).
void plain_rows(PlainOp op, const Tensor& x, const Tensor& y, Tensor out) {
  if (op == PlainOp::kSoftmax) return y.defined() ? reference::softmax_backward(x, y, out) : reference::softmax(x, out);
  y.defined() ? reference::log_softmax_backward(x, y, out) : reference::log_softmax(x, out);
}

// Calls row(in, other, out, n) for every row along the axis; `other` may be undefined. The axis is brought to the end first.
template <class Row>
Tensor by_rows(PlainOp form, const Tensor& x, const Tensor& other, int axis, Row row) {
  const char* op = plain_name(form);
  if (x.dim() == 0) return reshape(by_rows(form, reshape(x, {1}), other.defined() ? reshape(other, {1}) : other, 0, row), {});
  axis = normalize_axis(axis, x.dim(), op);
  check(!other.defined() || other.shape() == x.shape(), ErrorKind::kShape, op, "shapes differ: dy is ", x.shape(), ", y is ",
        other.shape());
  check(is_float(x.dtype()), ErrorKind::kValue, op, "needs a float tensor: dtype is ", name_of(x.dtype()),
        ". Hint: convert with to(x, Dtype::f32).");
  if (runs_plain(form)) {
    const Tensor y = empty_like(x);
    plain_rows(form, transpose(x, axis, -1), other.defined() ? transpose(other, axis, -1) : other, transpose(y, axis, -1));
    return y;
  }
  const Tensor in = contiguous(transpose(x, axis, -1));
  const Tensor second = other.defined() ? contiguous(transpose(other, axis, -1)) : other;
  Tensor out = empty_like(in);
  const int64_t n = in.size(-1);
  dispatch_float(op, x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* pi = in.data<T>();
    const T* ps = second.defined() ? second.data<T>() : nullptr;
    T* po = out.mutable_data<T>();
    parallel_for(n > 0 ? in.numel() / n : 0, std::max<int64_t>(1, kElementwiseGrain / std::max<int64_t>(n, 1)),
                 [&](int64_t begin, int64_t end) {
                   for (int64_t i = begin; i < end; ++i) row(pi + i * n, ps ? ps + i * n : nullptr, po + i * n, n);
                 });
  });
  return contiguous(transpose(out, axis, -1));
}

// The maximum to shift by; 0 where the row is -inf only.
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

}  // namespace

Tensor softmax(const Tensor& x, int axis) {
  return by_rows(PlainOp::kSoftmax, x, {}, axis, [](const auto* in, const auto*, auto* out, int64_t n) {
    using T = std::remove_reference_t<decltype(*out)>;
    const T shift = shift_of(in, n);
    for (int64_t i = 0; i < n; ++i) out[i] = fast_exp(in[i] - shift);
    double total = 0;
#pragma omp simd reduction(+ : total)
    for (int64_t i = 0; i < n; ++i) total += static_cast<double>(out[i]);
    const T factor = total == 0 ? T{0} : static_cast<T>(1 / total);
    for (int64_t i = 0; i < n; ++i) out[i] *= factor;
  });
}

Tensor log_softmax(const Tensor& x, int axis) {
  return by_rows(PlainOp::kLogSoftmax, x, {}, axis, [](const auto* in, const auto*, auto* out, int64_t n) {
    using T = std::remove_reference_t<decltype(*out)>;
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
  });
}

Tensor softmax_backward(const Tensor& dy, const Tensor& y, int axis) {
  return by_rows(PlainOp::kSoftmax, dy, y, axis, [](const auto* g, const auto* p, auto* out, int64_t n) {
    using T = std::remove_reference_t<decltype(*out)>;
    const T s = static_cast<T>(dot(g, p, n));
    for (int64_t i = 0; i < n; ++i) out[i] = p[i] * (g[i] - s);
  });
}

Tensor log_softmax_backward(const Tensor& dy, const Tensor& y, int axis) {
  return by_rows(PlainOp::kLogSoftmax, dy, y, axis, [](const auto* g, const auto* lp, auto* out, int64_t n) {
    using T = std::remove_reference_t<decltype(*out)>;
    double total = 0;
#pragma omp simd reduction(+ : total)
    for (int64_t i = 0; i < n; ++i) total += static_cast<double>(g[i]);
    for (int64_t i = 0; i < n; ++i) out[i] = g[i] - fast_exp(lp[i]) * static_cast<T>(total);
  });
}

}  // namespace vitrail
