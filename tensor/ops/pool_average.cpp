// Average pooling, over windows of a fixed size or over a fixed number of cells.
#include "tensor/kernels/pool_average.h"
#include "tensor/plain.h"
#include "tensor/reference/pool.h"

namespace vitrail {
namespace {

using detail::PoolGeometry;

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
    detail::average_pool(g, options, xc.data<T>(), y.mutable_data<T>());
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
    detail::average_pool_backward(g, options, dyc.data<T>(), dx.mutable_data<T>());
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
    detail::average_cells(g, xc.data<T>(), y.mutable_data<T>());
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
    detail::average_cells_backward(g, dyc.data<T>(), dx.mutable_data<T>());
  });
  return dx;
}

}  // namespace vitrail
