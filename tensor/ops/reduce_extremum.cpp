// Maxima, minima, their indices, and log-sum-exp.
#include <cmath>
#include <limits>

#include "tensor/kernels/reduce_layout.h"
#include "tensor/machine/parallel.h"
#include "tensor/ops/reduce.h"
#include "tensor/plain.h"
#include "tensor/reference/reduce.h"
#include "tensor/view.h"

namespace vitrail {
namespace {

struct Larger {
  static constexpr bool kLargest = true;
  template <class T>
  static bool better(T a, T b) {
    return a > b;
  }
};
struct Smaller {
  static constexpr bool kLargest = false;
  template <class T>
  static bool better(T a, T b) {
    return a < b;
  }
};

int64_t row_grain(int64_t n) { return std::max<int64_t>(1, kElementwiseGrain / std::max<int64_t>(n, 1)); }

// The best element of a row; the first NaN wins over any number.
template <class Order, class T>
T best_of(const T* x, int64_t n) {
  T best = x[0];
  for (int64_t i = 1; i < n; ++i) best = Order::better(x[i], best) || x[i] != x[i] ? (best != best ? best : x[i]) : best;
  return best;
}

template <class Order>
Tensor extremum(const char* op, const Tensor& x, const Axes& axes, bool keepdim) {
  const ReduceLayout layout = reduce_layout(x, axes, keepdim, op, true);
  const int64_t n = layout.reduced();
  check(n > 0, ErrorKind::kValue, op, "nothing has no ", op, ": shape is ", x.shape());
  Tensor out = empty(layout.result, x.dtype(), op);
  if (runs_plain(PlainOp::kReduce)) {
    reference::extremum(reduced_axes_last(x, axes, op), n, Order::kLargest, out);
    return out;
  }
  dispatch(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* in = layout.matrix.data<T>();
    T* result = out.mutable_data<T>();
    parallel_for(layout.kept(), row_grain(n), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) result[i] = best_of<Order>(in + i * n, n);
    });
  });
  return out;
}

template <class Order, class T>
int64_t place_of_best(const T* x, int64_t n, bool select_last) {
  int64_t place = 0;
  for (int64_t i = 1; i < n; ++i) {
    const bool nan = x[i] != x[i], best_is_nan = x[place] != x[place];
    const bool equal = nan ? best_is_nan : x[i] == x[place];
    const bool better = nan ? !best_is_nan : (!best_is_nan && Order::better(x[i], x[place]));
    if (better || (select_last && equal)) place = i;
  }
  return place;
}

template <class Order>
Tensor arg_extremum(const char* op, const Tensor& x, int axis, bool keepdim, bool select_last) {
  const ReduceLayout layout = reduce_layout(x, {axis}, keepdim, op, true);
  const int64_t n = layout.reduced();
  check(n > 0, ErrorKind::kValue, op, "an axis without elements has no ", op, ": axis is ", axis, ", shape is ", x.shape());
  Tensor out = empty(layout.result, Dtype::i64, op);
  if (runs_plain(PlainOp::kReduce)) {
    reference::arg_extremum(reduced_axes_last(x, {axis}, op), n, Order::kLargest, select_last, out);
    return out;
  }
  dispatch(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* in = layout.matrix.data<T>();
    int64_t* result = out.mutable_data<int64_t>();
    parallel_for(layout.kept(), row_grain(n), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) result[i] = place_of_best<Order>(in + i * n, n, select_last);
    });
  });
  return out;
}

}  // namespace

Tensor max(const Tensor& x, const Axes& axes, bool keepdim) { return extremum<Larger>("max", x, axes, keepdim); }
Tensor min(const Tensor& x, const Axes& axes, bool keepdim) { return extremum<Smaller>("min", x, axes, keepdim); }

Tensor argmax(const Tensor& x, int axis, bool keepdim, bool select_last) {
  return arg_extremum<Larger>("argmax", x, axis, keepdim, select_last);
}
Tensor argmin(const Tensor& x, int axis, bool keepdim, bool select_last) {
  return arg_extremum<Smaller>("argmin", x, axis, keepdim, select_last);
}

Tensor logsumexp(const Tensor& x, const Axes& axes, bool keepdim) {
  const ReduceLayout layout = reduce_layout(x, axes, keepdim, "logsumexp", true);
  const int64_t n = layout.reduced();
  Tensor out = empty(layout.result, x.dtype(), "logsumexp");
  if (runs_plain(PlainOp::kReduce)) {
    reference::logsumexp(reduced_axes_last(x, axes, "logsumexp"), layout.reduced(), out);
    return out;
  }
  dispatch_float("logsumexp", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    const T* in = layout.matrix.data<T>();
    T* result = out.mutable_data<T>();
    parallel_for(layout.kept(), row_grain(n), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const double high = n > 0 ? static_cast<double>(best_of<Larger>(in + i * n, n)) : -kInfinity;
        double total = 0;
        for (int64_t j = 0; j < n; ++j) total += std::exp(static_cast<double>(in[i * n + j]) - high);
        result[i] = static_cast<T>(std::abs(high) == kInfinity ? high : high + std::log(total));
      }
    });
  });
  return out;
}

}  // namespace vitrail
