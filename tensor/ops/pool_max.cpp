// Maximum pooling and its gradient.
#include "tensor/kernels/pool_max.h"
#include "tensor/plain.h"
#include "tensor/reference/pool.h"

namespace vitrail {

std::pair<Tensor, Tensor> max_pool2d_forward(const Tensor& x, const Pool2dOptions& options) {
  const detail::PoolGeometry g = detail::pool_geometry("max_pool2d", x.shape(), options);
  const Shape out{x.size(0), x.size(1), g.out_h, g.out_w};
  Tensor y = empty(out, x.dtype(), "max_pool2d"), indices = empty(out, Dtype::i64, "max_pool2d");
  if (runs_plain(PlainOp::kPool)) {
    reference::max_pool2d(x, options, y, indices);
    return {y, indices};
  }
  dispatch_float("max_pool2d", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const Tensor xc = contiguous(x);
    detail::max_pool(g, options, xc.data<T>(), y.mutable_data<T>(), indices.mutable_data<int64_t>());
  });
  return {y, indices};
}

Tensor max_pool2d_backward(const Tensor& dy, const Tensor& indices, const Shape& x_shape) {
  const char* op = "max_pool2d_backward";
  check(x_shape.size() == 4 && dy.dim() == 4 && dy.size(0) == x_shape[0] && dy.size(1) == x_shape[1], ErrorKind::kShape, op,
        "dy and x must be [B, C, H, W] with equal B and C: dy is ", dy.shape(), ", x is ", x_shape, ".");
  check(indices.shape() == dy.shape() && indices.dtype() == Dtype::i64, ErrorKind::kShape, op,
        "indices must be i64 and have the shape of dy: dy is ", dy.shape(), ", indices is ", name_of(indices.dtype()), " ",
        indices.shape(), ".");
  Tensor dx = zeros(x_shape, dy.dtype());
  if (runs_plain(PlainOp::kPool)) {
    reference::max_pool2d_backward(dy, indices, dx);
    return dx;
  }
  dispatch_float(op, dy.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const Tensor dyc = contiguous(dy), ic = contiguous(indices);
    detail::max_pool_backward(x_shape[0] * x_shape[1], dy.size(2) * dy.size(3), x_shape[2] * x_shape[3], dyc.data<T>(),
                              ic.data<int64_t>(), dx.mutable_data<T>());
  });
  return dx;
}

}  // namespace vitrail
