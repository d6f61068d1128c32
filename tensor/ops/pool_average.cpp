// Average pooling, over windows of a fixed size or over a fixed number of cells: the same loops over other windows.
#include "tensor/kernels/pool_detail.h"
#include "tensor/plain.h"
#include "tensor/reference/pool.h"

namespace vitrail {
namespace {

using detail::PoolGeometry;
using detail::Window;

// How an average sees its image: the window of each output row and column, and what to divide by.
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
  const auto rows = [&](int64_t i) { return detail::pool_window(i, g.height, o.kernel_h, o.stride_h, o.padding_h); };
  const auto columns = [&](int64_t j) { return detail::pool_window(j, g.width, o.kernel_w, o.stride_w, o.padding_w); };
  const auto divisor = [&](const Window& r, const Window& c) {
    return static_cast<double>(o.count_include_pad ? r.padded * c.padded : (r.end - r.begin) * (c.end - c.begin));
  };
  fn(Average{g, rows, columns, divisor});
}

// Calls fn with the Average of adaptive_avg_pool2d.
template <class Fn>
void with_cells(const PoolGeometry& g, Fn&& fn) {
  const auto rows = [&](int64_t i) { return detail::adaptive_window(i, g.height, g.out_h); };
  const auto columns = [&](int64_t j) { return detail::adaptive_window(j, g.width, g.out_w); };
  fn(Average{g, rows, columns, [](const Window& r, const Window& c) { return static_cast<double>(r.padded * c.padded); }});
}

PoolGeometry average_geometry(const char* op, const Shape& x, const Pool2dOptions& o) {
  check(o.dilation_h == 1 && o.dilation_w == 1, ErrorKind::kValue, op, "an average has no dilation: dilation is ", o.dilation_h,
        " x ", o.dilation_w, ".");
  return detail::pool_geometry(op, x, o);
}

PoolGeometry adaptive_geometry(const char* op, const Shape& x, int64_t out_h, int64_t out_w) {
  check(x.size() == 4 && x[2] >= 1 && x[3] >= 1, ErrorKind::kShape, op, "needs x [B, C, H, W] with pixels: x is ", x, ".");
  constexpr int64_t kMost = int64_t{1} << 31;  // so that i * extent cannot overflow
  check(out_h >= 1 && out_w >= 1 && std::max(std::max(out_h, out_w), std::max(x[2], x[3])) < kMost, ErrorKind::kValue, op,
        "the output must have at least one cell and fewer than 2^31: output is ", out_h, " x ", out_w, ", x is ", x, ".");
  return {checked_numel({x[0], x[1]}, op), x[2], x[3], out_h, out_w};
}

}  // namespace

Tensor avg_pool2d(const Tensor& x, const Pool2dOptions& options) {
  const PoolGeometry g = average_geometry("avg_pool2d", x.shape(), options);
  Tensor y = empty({x.size(0), x.size(1), g.out_h, g.out_w}, x.dtype(), "avg_pool2d");
  if (runs_plain(PlainOp::kPool)) {
    reference::avg_pool2d(x, options, y);
    return y;
  }
  dispatch_float("avg_pool2d", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const Tensor xc = contiguous(x);
    with_windows(g, options, [&](const auto& a) { forward(a, xc.data<T>(), y.mutable_data<T>()); });
  });
  return y;
}

Tensor avg_pool2d_backward(const Tensor& dy, const Shape& x_shape, const Pool2dOptions& options) {
  const PoolGeometry g = average_geometry("avg_pool2d_backward", x_shape, options);
  detail::check_pool_gradient("avg_pool2d_backward", dy.shape(), x_shape, g);
  Tensor dx = zeros(x_shape, dy.dtype());
  if (runs_plain(PlainOp::kPool)) {
    reference::avg_pool2d_backward(dy, options, dx);
    return dx;
  }
  dispatch_float("avg_pool2d_backward", dy.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const Tensor dyc = contiguous(dy);
    with_windows(g, options, [&](const auto& a) { backward(a, dyc.data<T>(), dx.mutable_data<T>()); });
  });
  return dx;
}

Tensor adaptive_avg_pool2d(const Tensor& x, int64_t out_h, int64_t out_w) {
  const PoolGeometry g = adaptive_geometry("adaptive_avg_pool2d", x.shape(), out_h, out_w);
  Tensor y = empty({x.size(0), x.size(1), out_h, out_w}, x.dtype(), "adaptive_avg_pool2d");
  if (runs_plain(PlainOp::kPool)) {
    reference::adaptive_avg_pool2d(x, y);
    return y;
  }
  dispatch_float("adaptive_avg_pool2d", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const Tensor xc = contiguous(x);
    with_cells(g, [&](const auto& a) { forward(a, xc.data<T>(), y.mutable_data<T>()); });
  });
  return y;
}

Tensor adaptive_avg_pool2d_backward(const Tensor& dy, const Shape& x_shape) {
  const char* op = "adaptive_avg_pool2d_backward";
  check(dy.dim() == 4, ErrorKind::kShape, op, "needs dy [B, C, out_h, out_w]: dy is ", dy.shape(), ".");
  const PoolGeometry g = adaptive_geometry(op, x_shape, dy.size(2), dy.size(3));
  detail::check_pool_gradient(op, dy.shape(), x_shape, g);
  Tensor dx = zeros(x_shape, dy.dtype());
  if (runs_plain(PlainOp::kPool)) {
    reference::adaptive_avg_pool2d_backward(dy, dx);
    return dx;
  }
  dispatch_float(op, dy.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const Tensor dyc = contiguous(dy);
    with_cells(g, [&](const auto& a) { backward(a, dyc.data<T>(), dx.mutable_data<T>()); });
  });
  return dx;
}

}  // namespace vitrail
