// Sums, means, products and variances: accumulated in double, over blocks whose borders depend on the size alone.
#include <algorithm>
#include <cmath>
#include <type_traits>

#include "tensor/ops/elementwise.h"
#include "tensor/ops/reduce.h"
#include "tensor/ops/reduce_layout.h"
#include "tensor/parallel.h"
#include "tensor/view.h"

namespace vitrail {
namespace {

constexpr int64_t kBlock = 32768;  // elements added up by one thread at a time

template <class T>
using Accumulator = std::conditional_t<std::is_integral_v<T>, int64_t, double>;

// sum of map(x[i]) over [0, n)
template <class T, class Map>
Accumulator<T> sum_range(const T* x, int64_t n, Map map) {
  using A = Accumulator<T>;
  A total = 0;
#pragma omp simd reduction(+ : total)
  for (int64_t i = 0; i < n; ++i) total += map(static_cast<A>(x[i]));
  return total;
}

// The same, long ranges cut into blocks.
template <class T, class Map>
Accumulator<T> sum_long_range(const T* x, int64_t n, Map map) {
  using A = Accumulator<T>;
  return parallel_reduce<A>(
      n, kBlock, A{0}, [&](int64_t begin, int64_t end) { return sum_range(x + begin, end - begin, map); },
      [](A a, A b) { return a + b; });
}

// finish(sum of map over each row)
template <class T, class Out, class Map, class Finish>
void sum_rows(const ReduceLayout& layout, Tensor& out, Map map, Finish finish) {
  const T* x = layout.matrix.data<T>();
  Out* result = out.mutable_data<Out>();
  const int64_t n = layout.reduced();
  if (layout.kept() < 16) {  // few long rows: threads share one
    for (int64_t i = 0; i < layout.kept(); ++i) result[i] = static_cast<Out>(finish(sum_long_range(x + i * n, n, map)));
    return;
  }
  parallel_for(layout.kept(), std::max<int64_t>(1, kElementwiseGrain / std::max<int64_t>(n, 1)),
               [&](int64_t begin, int64_t end) {
                 for (int64_t i = begin; i < end; ++i) result[i] = static_cast<Out>(finish(sum_range(x + i * n, n, map)));
               });
}

// finish(sum of map over each column): row blocks give partial sums, which are added in order.
template <class T, class Out, class Map, class Finish>
void sum_columns(const ReduceLayout& layout, Tensor& out, Map map, Finish finish) {
  using A = Accumulator<T>;
  const T* x = layout.matrix.data<T>();
  const int64_t rows = layout.reduced(), cols = layout.kept();
  const int64_t grain = std::max<int64_t>(1, kElementwiseGrain / std::max<int64_t>(cols, 1));
  const int64_t length = std::max(grain, (rows + 31) / 32);
  std::vector<A> partial(static_cast<size_t>(((rows + length - 1) / length) * cols), A{0});
  parallel_for((rows + length - 1) / length, 1, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) {
      A* sums = partial.data() + block * cols;
      for (int64_t i = block * length; i < std::min(rows, (block + 1) * length); ++i) {
        const T* row = x + i * cols;
        for (int64_t j = 0; j < cols; ++j) sums[j] += map(static_cast<A>(row[j]));
      }
    }
  });
  Out* result = out.mutable_data<Out>();
  for (int64_t j = 0; j < cols; ++j) {
    A total = 0;
    for (size_t place = static_cast<size_t>(j); place < partial.size(); place += static_cast<size_t>(cols))
      total += partial[place];
    result[j] = static_cast<Out>(finish(total));
  }
}

template <class T, class Out, class Map, class Finish>
void sum_into(const ReduceLayout& layout, Tensor& out, Map map, Finish finish) {
  if (layout.over_rows) {
    sum_rows<T, Out>(layout, out, map, finish);
  } else {
    sum_columns<T, Out>(layout, out, map, finish);
  }
}

constexpr auto kSame = [](auto v) { return v; };

}  // namespace

Tensor sum(const Tensor& x, const Axes& axes, bool keepdim) {
  const ReduceLayout layout = reduce_layout(x, axes, keepdim, "sum");
  Tensor out = empty(layout.result, is_float(x.dtype()) ? x.dtype() : Dtype::i64, "sum");
  dispatch(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    sum_into<T, std::conditional_t<std::is_integral_v<T>, int64_t, T>>(layout, out, kSame, kSame);
  });
  return out;
}

Tensor mean(const Tensor& x, const Axes& axes, bool keepdim) {
  const ReduceLayout layout = reduce_layout(x, axes, keepdim, "mean");
  Tensor out = empty(layout.result, x.dtype(), "mean");
  const double n = static_cast<double>(layout.reduced());
  dispatch_float("mean", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    sum_into<T, T>(layout, out, kSame, [n](double total) { return total / n; });
  });
  return out;
}

Tensor prod(const Tensor& x, const Axes& axes, bool keepdim) {
  const ReduceLayout layout = reduce_layout(x, axes, keepdim, "prod", true);
  Tensor out = empty(layout.result, is_float(x.dtype()) ? x.dtype() : Dtype::i64, "prod");
  dispatch(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    using Out = std::conditional_t<std::is_integral_v<T>, int64_t, T>;
    using A = std::conditional_t<std::is_integral_v<T>, uint64_t, double>;  // integers wrap
    const T* in = layout.matrix.data<T>();
    Out* result = out.mutable_data<Out>();
    for (int64_t i = 0; i < layout.kept(); ++i) {
      A product = 1;
      for (int64_t j = 0; j < layout.reduced(); ++j) product *= static_cast<A>(in[i * layout.reduced() + j]);
      result[i] = static_cast<Out>(product);
    }
  });
  return out;
}

Tensor var(const Tensor& x, const Axes& axes, bool keepdim, double correction) {
  const ReduceLayout layout = reduce_layout(x, axes, keepdim, "var", true);
  Tensor out = empty(layout.result, x.dtype(), "var");
  const int64_t n = layout.reduced();
  dispatch_float("var", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* in = layout.matrix.data<T>();
    T* result = out.mutable_data<T>();
    for (int64_t i = 0; i < layout.kept(); ++i) {
      const double center = sum_long_range(in + i * n, n, kSame) / static_cast<double>(n);
      const double squares = sum_long_range(in + i * n, n, [center](double v) { return (v - center) * (v - center); });
      result[i] = static_cast<T>(squares / std::max(0.0, static_cast<double>(n) - correction));
    }
  });
  return out;
}

Tensor sum_to(const Tensor& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  check(broadcast_shapes(x.shape(), shape, "sum_to") == x.shape(), ErrorKind::kShape, "sum_to",
        "the shape must broadcast to the tensor's: tensor is ", x.shape(), ", shape is ", shape);
  const int lead = x.dim() - shape.size();
  Axes axes;
  for (int i = 0; i < x.dim(); ++i) {
    if (i < lead || (shape[i - lead] == 1 && x.shape()[i] != 1)) axes.push_back(i);
  }
  if (axes.empty()) return reshape(x, shape);
  return reshape(sum(x, axes), shape);
}

}  // namespace vitrail
