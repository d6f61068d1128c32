// The loops of all elementwise functions, over broadcast and over contiguous operands.
#pragma once

#include <algorithm>

#include "tensor/machine/parallel.h"
#include "tensor/tensor.h"
#include "tensor/view.h"

namespace vitrail {

// Two operands of one broadcast shape, with neighbouring axes merged wherever both operands are contiguous over them. Most
// calls become one long axis, or rows combined with a single row (a bias).
struct BroadcastPlan {
  Shape shape, a_strides, b_strides;

  BroadcastPlan(const Tensor& a, const Tensor& b, const Shape& result) {
    const Tensor x = expand(a, result), y = expand(b, result);
    for (int i = 0; i < result.size(); ++i) {
      if (result[i] == 1) continue;
      const int last = shape.size() - 1;
      if (last >= 0 && a_strides[last] == x.strides()[i] * result[i] && b_strides[last] == y.strides()[i] * result[i]) {
        shape[last] *= result[i];
        a_strides[last] = x.strides()[i], b_strides[last] = y.strides()[i];
      } else {
        shape.push_back(result[i]), a_strides.push_back(x.strides()[i]), b_strides.push_back(y.strides()[i]);
      }
    }
    if (shape.empty()) shape.push_back(1), a_strides.push_back(1), b_strides.push_back(1);
  }
};

// out[i] = fn(a[i], b[i]) along one axis; strides of 0 and 1 have loops of their own, because the compiler vectorises these.
template <class T, class Out, class Fn>
void binary_row(const T* a, int64_t a_step, const T* b, int64_t b_step, Out* out, int64_t n, Fn fn) {
  if (a_step == 1 && b_step == 1) {
    for (int64_t i = 0; i < n; ++i) out[i] = fn(a[i], b[i]);
  } else if (a_step == 1 && b_step == 0) {
    const T y = *b;
    for (int64_t i = 0; i < n; ++i) out[i] = fn(a[i], y);
  } else if (a_step == 0 && b_step == 1) {
    const T x = *a;
    for (int64_t i = 0; i < n; ++i) out[i] = fn(x, b[i]);
  } else {
    for (int64_t i = 0; i < n; ++i) out[i] = fn(a[i * a_step], b[i * b_step]);
  }
}

// out (contiguous, of the broadcast shape) = fn(a, b)
template <class T, class Out, class Fn>
void binary_loop(const Tensor& a, const Tensor& b, Tensor& out, Fn fn) {
  const BroadcastPlan plan(a, b, out.shape());
  const T* pa = a.data<T>();
  const T* pb = b.data<T>();
  Out* po = out.mutable_data<Out>();
  const int last = plan.shape.size() - 1;
  const int64_t n = plan.shape[last], sa = plan.a_strides[last], sb = plan.b_strides[last];
  if (last == 0) {
    parallel_for(n, kElementwiseGrain, [&](int64_t begin, int64_t end) {
      binary_row(pa + begin * sa, sa, pb + begin * sb, sb, po + begin, end - begin, fn);
    });
    return;
  }
  if (n == 0) return;
  parallel_for(out.numel() / n, std::max<int64_t>(1, kElementwiseGrain / n), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      int64_t rest = row, ia = 0, ib = 0;
      for (int i = last - 1; i >= 0; --i) {
        const int64_t k = rest % plan.shape[i];
        rest /= plan.shape[i];
        ia += k * plan.a_strides[i], ib += k * plan.b_strides[i];
      }
      binary_row(pa + ia, sa, pb + ib, sb, po + row * n, n, fn);
    }
  });
}

// out[i] = fn(x[i]) for two contiguous tensors
template <class T, class Out, class Fn>
void unary_loop(const Tensor& x, Tensor& out, Fn fn) {
  const T* px = x.data<T>();
  Out* po = out.mutable_data<Out>();
  parallel_for(x.numel(), kElementwiseGrain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) po[i] = fn(px[i]);
  });
}

}  // namespace vitrail
