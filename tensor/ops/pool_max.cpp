// Maximum pooling and its gradient. One plane is one thread's.
#include <cmath>
#include <limits>

#include "tensor/kernels/pool_detail.h"
#include "tensor/plain.h"
#include "tensor/reference/pool.h"

namespace vitrail {
namespace {

using detail::PoolGeometry;

template <class T>
struct Maximum {
  T value;
  int64_t index;
};

// The first maximum of the window whose first element, padding included, is (top, left).
template <class T>
Maximum<T> window_maximum(const PoolGeometry& g, const Pool2dOptions& o, const T* x, int64_t top, int64_t left) {
  Maximum<T> best{-std::numeric_limits<T>::infinity(), -1};
  for (int64_t p = 0; p < o.kernel_h; ++p) {
    const int64_t row = top + p * o.dilation_h;
    if (row < 0 || row >= g.height) continue;
    for (int64_t q = 0; q < o.kernel_w; ++q) {
      const int64_t column = left + q * o.dilation_w;
      if (column < 0 || column >= g.width) continue;
      const T value = x[row * g.width + column];
      const bool larger = best.index < 0 || value > best.value || (std::isnan(value) && !std::isnan(best.value));
      if (larger) best = {value, row * g.width + column};
    }
  }
  return best;
}

template <class T>
void forward(const PoolGeometry& g, const Pool2dOptions& o, const T* x, T* y, int64_t* index) {
  parallel_for(g.planes, g.grain(), [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      int64_t out = n * g.out_plane();
      for (int64_t i = 0; i < g.out_h; ++i) {
        for (int64_t j = 0; j < g.out_w; ++j, ++out) {
          const auto best = window_maximum(g, o, x + n * g.plane(), i * o.stride_h - o.padding_h, j * o.stride_w - o.padding_w);
          y[out] = best.value;
          index[out] = best.index;
        }
      }
    }
  });
}

template <class T>
void backward(int64_t planes, int64_t out_plane, int64_t plane, const T* dy, const int64_t* index, T* dx) {
  parallel_for(planes, std::max<int64_t>(1, kElementwiseGrain / std::max<int64_t>(out_plane, 1)),
               [&](int64_t begin, int64_t end) {
                 for (int64_t n = begin; n < end; ++n) {
                   for (int64_t i = n * out_plane; i < (n + 1) * out_plane; ++i) {
                     check(index[i] >= -1 && index[i] < plane, ErrorKind::kValue, "max_pool2d_backward",
                           "index outside the image: index is ", index[i], ", H W is ", plane, ".");
                     if (index[i] >= 0) dx[n * plane + index[i]] += dy[i];
                   }
                 }
               });
}

}  // namespace

std::pair<Tensor, Tensor> max_pool2d_forward(const Tensor& x, const Pool2dOptions& options) {
  const PoolGeometry g = detail::pool_geometry("max_pool2d", x.shape(), options);
  const Shape out{x.size(0), x.size(1), g.out_h, g.out_w};
  Tensor y = empty(out, x.dtype(), "max_pool2d"), indices = empty(out, Dtype::i64, "max_pool2d");
  if (runs_plain(PlainOp::kPool)) {
    reference::max_pool2d(x, options, y, indices);
    return {y, indices};
  }
  dispatch_float("max_pool2d", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const Tensor xc = contiguous(x);
    forward(g, options, xc.data<T>(), y.mutable_data<T>(), indices.mutable_data<int64_t>());
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
    backward(x_shape[0] * x_shape[1], dy.size(2) * dy.size(3), x_shape[2] * x_shape[3], dyc.data<T>(), ic.data<int64_t>(),
             dx.mutable_data<T>());
  });
  return dx;
}

}  // namespace vitrail
