#include "tensor/kernels/reduce_sum.h"

#include <algorithm>
#include <type_traits>
#include <vector>

#include "tensor/machine/parallel.h"

namespace vitrail::kernels {
namespace {

constexpr int64_t kBlock = 32768;  // elements that one thread adds up in one piece

// The fewest rows of n elements that are worth starting a thread for.
int64_t row_grain(int64_t n) { return std::max<int64_t>(1, kElementwiseGrain / std::max<int64_t>(n, 1)); }

// Integers wrap around: unsigned, since signed overflow would be undefined.
template <class T>
using Accumulator = std::conditional_t<std::is_integral_v<T>, uint64_t, double>;

// sum of map(x[i]) over [0, n)
template <class T, class Map>
Accumulator<T> sum_range(const T* x, int64_t n, Map map) {
  using A = Accumulator<T>;
  A total = 0;
#pragma omp simd reduction(+ : total)
  for (int64_t i = 0; i < n; ++i) total += map(static_cast<A>(x[i]));
  return total;
}

// The same, with long ranges cut into blocks that are summed in parallel.
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
  parallel_for(layout.kept(), row_grain(n), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) result[i] = static_cast<Out>(finish(sum_range(x + i * n, n, map)));
  });
}

constexpr int64_t kColumnTile = 1024;  // sums kept in the first-level cache at a time

// sums[j] += map(x[i, j]) for all rows i. Four rows per iteration, so that the sums are read and written a quarter as often;
// each sum still adds its rows in order.
template <class T, class Map>
void add_rows(const T* __restrict x, int64_t rows, int64_t row_stride, Accumulator<T>* __restrict sums, int64_t cols, Map map) {
  using A = Accumulator<T>;
  int64_t i = 0;
  for (; i + 4 <= rows; i += 4) {
    const T *p = x + i * row_stride, *q = p + row_stride, *r = q + row_stride, *s = r + row_stride;
    for (int64_t j = 0; j < cols; ++j) {
      const A two = sums[j] + map(static_cast<A>(p[j])) + map(static_cast<A>(q[j]));
      sums[j] = two + map(static_cast<A>(r[j])) + map(static_cast<A>(s[j]));
    }
  }
  for (; i < rows; ++i) {
    for (int64_t j = 0; j < cols; ++j) sums[j] += map(static_cast<A>(x[i * row_stride + j]));
  }
}

// How [outer, rows, cols] is cut for column sums: tiles of columns, and blocks of rows whose partial sums are added in order.
// Depends on the shape alone.
struct ColumnBlocks {
  ColumnBlocks(int64_t outer, int64_t rows, int64_t cols) {
    width = std::min(cols, kColumnTile);
    tiles = ceil_div(cols, width);
    const int64_t least = std::max<int64_t>(1, kElementwiseGrain / width);  // rows that are worth starting a thread for
    const int64_t wanted = std::max<int64_t>(1, 32 / (outer * tiles));      // blocks wanted to keep all threads busy
    length = std::max({least, ceil_div(rows, wanted), int64_t{1}});
    blocks = std::max<int64_t>(1, ceil_div(rows, length));
  }
  int64_t width, tiles, length, blocks;
};

// finish(sum of map over each column of each matrix)
template <class T, class Out, class Map, class Finish>
void sum_columns(const ReduceLayout& layout, Tensor& out, Map map, Finish finish) {
  using A = Accumulator<T>;
  const int64_t outer = layout.outer(), rows = layout.reduced(), cols = layout.inner();
  if (outer * cols == 0) return;
  const ColumnBlocks cut(outer, rows, cols);
  const T* x = layout.matrix.data<T>();
  std::vector<A> partial(static_cast<size_t>(cut.blocks * outer * cols), A{0});  // [blocks, outer, cols]
  const int64_t items = cut.blocks * outer * cut.tiles;
  parallel_for(items, std::max<int64_t>(1, kElementwiseGrain / (cut.width * cut.length)), [&](int64_t begin, int64_t end) {
    for (int64_t item = begin; item < end; ++item) {
      const int64_t tile = item % cut.tiles, matrix = item / cut.tiles % outer, block = item / cut.tiles / outer;
      const int64_t col = tile * cut.width, row = block * cut.length;
      add_rows(x + (matrix * rows + row) * cols + col, std::min(cut.length, rows - row), cols,
               partial.data() + (block * outer + matrix) * cols + col, std::min(cut.width, cols - col), map);
    }
  });
  Out* result = out.mutable_data<Out>();
  parallel_for(outer * cols, kElementwiseGrain, [&](int64_t begin, int64_t end) {
    for (int64_t j = begin; j < end; ++j) {
      A total = partial[static_cast<size_t>(j)];
      for (int64_t block = 1; block < cut.blocks; ++block) total += partial[static_cast<size_t>(block * outer * cols + j)];
      result[j] = static_cast<Out>(finish(total));
    }
  });
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

void sum(const ReduceLayout& layout, Tensor out) {
  dispatch(layout.matrix.dtype(), [&](auto zero) {
    using T = decltype(zero);
    sum_into<T, std::conditional_t<std::is_integral_v<T>, int64_t, T>>(layout, out, kSame, kSame);
  });
}

void mean(const ReduceLayout& layout, Tensor out) {
  const double n = static_cast<double>(layout.reduced());
  dispatch_float("mean", layout.matrix.dtype(), [&](auto zero) {
    using T = decltype(zero);
    sum_into<T, T>(layout, out, kSame, [n](double total) { return total / n; });
  });
}

void prod(const ReduceLayout& layout, Tensor out) {
  dispatch(layout.matrix.dtype(), [&](auto zero) {
    using T = decltype(zero);
    using Out = std::conditional_t<std::is_integral_v<T>, int64_t, T>;
    using A = std::conditional_t<std::is_integral_v<T>, uint64_t, double>;  // integers wrap
    const T* in = layout.matrix.data<T>();
    Out* result = out.mutable_data<Out>();
    const int64_t n = layout.reduced();
    parallel_for(layout.kept(), row_grain(n), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        A product = 1;
        for (int64_t j = 0; j < n; ++j) product *= static_cast<A>(in[i * n + j]);
        result[i] = static_cast<Out>(product);
      }
    });
  });
}

void var(const ReduceLayout& layout, double correction, Tensor out) {
  const int64_t n = layout.reduced();
  dispatch_float("var", layout.matrix.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* in = layout.matrix.data<T>();
    T* result = out.mutable_data<T>();
    // With one row, the inner sums run in parallel. With many, each thread takes some rows, and the nested parallel_for runs
    // serially.
    parallel_for(layout.kept(), row_grain(n), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const double center = sum_long_range(in + i * n, n, kSame) / static_cast<double>(n);
        const double squares = sum_long_range(in + i * n, n, [center](double v) { return (v - center) * (v - center); });
        result[i] = static_cast<T>(squares / std::max(0.0, static_cast<double>(n) - correction));
      }
    });
  });
}

}  // namespace vitrail::kernels
