#include "tensor/kernels/pool_average.h"

namespace vitrail::detail {
namespace {

// One average pooling: the window of each output row and column, and the divisor.
template <class Rows, class Columns, class Divisor>
struct Average {
  PoolGeometry g;
  Rows rows;
  Columns columns;
  Divisor divisor;
};
template <class Rows, class Columns, class Divisor>
Average(PoolGeometry, Rows, Columns, Divisor) -> Average<Rows, Columns, Divisor>;  // clang 14 does not deduce aggregates

template <class T, class A>
void forward(const A& a, const T* x, T* y) {
  const PoolGeometry& g = a.g;
  parallel_for(g.planes, g.grain(), [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      const T* in = x + n * g.plane();
      T* out = y + n * g.out_plane();
      for (int64_t i = 0; i < g.out_h; ++i) {
        const Window r = a.rows(i);
        for (int64_t j = 0; j < g.out_w; ++j) {
          const Window c = a.columns(j);
          double sum = 0;
          for (int64_t p = r.begin; p < r.end; ++p) {
            for (int64_t q = c.begin; q < c.end; ++q) sum += static_cast<double>(in[p * g.width + q]);
          }
          *out++ = static_cast<T>(sum / a.divisor(r, c));
        }
      }
    }
  });
}

template <class T, class A>
void backward(const A& a, const T* dy, T* dx) {
  const PoolGeometry& g = a.g;
  parallel_for(g.planes, g.grain(), [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      const T* in = dy + n * g.out_plane();
      T* out = dx + n * g.plane();
      for (int64_t i = 0; i < g.out_h; ++i) {
        const Window r = a.rows(i);
        for (int64_t j = 0; j < g.out_w; ++j) {
          const Window c = a.columns(j);
          const T share = static_cast<T>(static_cast<double>(*in++) / a.divisor(r, c));
          for (int64_t p = r.begin; p < r.end; ++p) {
            for (int64_t q = c.begin; q < c.end; ++q) out[p * g.width + q] += share;
          }
        }
      }
    }
  });
}

// Calls fn with the Average of avg_pool2d.
template <class Fn>
void with_windows(const PoolGeometry& g, const Pool2dOptions& o, Fn&& fn) {
  const auto rows = [&](int64_t i) { return pool_window(i, g.height, o.kernel_h, o.stride_h, o.padding_h); };
  const auto columns = [&](int64_t j) { return pool_window(j, g.width, o.kernel_w, o.stride_w, o.padding_w); };
  const auto divisor = [&](const Window& r, const Window& c) {
    return static_cast<double>(o.count_include_pad ? r.padded * c.padded : (r.end - r.begin) * (c.end - c.begin));
  };
  fn(Average{g, rows, columns, divisor});
}

// Calls fn with the Average of adaptive_avg_pool2d.
template <class Fn>
void with_cells(const PoolGeometry& g, Fn&& fn) {
  const auto rows = [&](int64_t i) { return adaptive_window(i, g.height, g.out_h); };
  const auto columns = [&](int64_t j) { return adaptive_window(j, g.width, g.out_w); };
  fn(Average{g, rows, columns, [](const Window& r, const Window& c) { return static_cast<double>(r.padded * c.padded); }});
}

}  // namespace

template <class T>
void average_pool(const PoolGeometry& g, const Pool2dOptions& o, const T* x, T* y) {
  with_windows(g, o, [&](const auto& a) { forward(a, x, y); });
}
template <class T>
void average_pool_backward(const PoolGeometry& g, const Pool2dOptions& o, const T* dy, T* dx) {
  with_windows(g, o, [&](const auto& a) { backward(a, dy, dx); });
}
template <class T>
void average_cells(const PoolGeometry& g, const T* x, T* y) {
  with_cells(g, [&](const auto& a) { forward(a, x, y); });
}
template <class T>
void average_cells_backward(const PoolGeometry& g, const T* dy, T* dx) {
  with_cells(g, [&](const auto& a) { backward(a, dy, dx); });
}

#define VITRAIL_INSTANTIATE(T)                                                                  \
  template void average_pool(const PoolGeometry&, const Pool2dOptions&, const T*, T*);          \
  template void average_pool_backward(const PoolGeometry&, const Pool2dOptions&, const T*, T*); \
  template void average_cells(const PoolGeometry&, const T*, T*);                               \
  template void average_cells_backward(const PoolGeometry&, const T*, T*);
VITRAIL_INSTANTIATE(float)
VITRAIL_INSTANTIATE(double)
#undef VITRAIL_INSTANTIATE

}  // namespace vitrail::detail
