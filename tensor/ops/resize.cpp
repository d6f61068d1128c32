// Resizing images and its gradient.
#include "tensor/ops/resize.h"

#include <algorithm>
#include <cmath>

#include "tensor/kernels/resize.h"

namespace vitrail {
namespace {

using detail::AxisWeights, detail::resize_columns, detail::resize_rows;

// One axis of `in` pixels, and its scale.
void check_scale(const char* op, int64_t in, int64_t out, double scale, const ResizeOptions& o) {
  if (scale == 0) return;
  check(o.mode != Interpolation::kNearest && !o.align_corners && !o.antialias, ErrorKind::kValue, op,
        "a scale excludes kNearest, align_corners and antialias: it is ", scale, ". Hint: leave it at 0.");
  check(std::floor(static_cast<double>(in) * scale) == static_cast<double>(out), ErrorKind::kValue, op,
        "floor(extent * scale) must be the output's extent: extent is ", in, ", scale is ", scale, ", output is ", out, ".");
}

void check_resize(const char* op, const Shape& x, int64_t out_h, int64_t out_w, const ResizeOptions& o) {
  check(x.size() >= 2, ErrorKind::kShape, op, "needs [..., H, W]: x is ", x, ".");
  constexpr int64_t kMost = int64_t{1} << 31;  // so that i * extent cannot overflow
  const int64_t h = x[x.size() - 2], w = x.back();
  check(std::min({h, w, out_h, out_w}) >= 1 && std::max({h, w, out_h, out_w}) < kMost, ErrorKind::kShape, op,
        "images must have at least one pixel a side and fewer than 2^31: x is ", x, ", output is ", out_h, " x ", out_w, ".");
  check(o.mode != Interpolation::kNearest || (!o.align_corners && !o.antialias), ErrorKind::kValue, op,
        "kNearest has neither align_corners nor antialias: align_corners is ", o.align_corners, ", antialias is ", o.antialias,
        ".");
  check(!o.antialias || !o.align_corners, ErrorKind::kValue, op,
        "antialias and align_corners exclude each other. Hint: leave align_corners at false.");
  check_scale(op, h, out_h, o.scale_h, o);
  check_scale(op, w, out_w, o.scale_w, o);
}

Shape with_image(Shape shape, int64_t h, int64_t w) {
  shape[shape.size() - 2] = h;
  shape.back() = w;
  return shape;
}

}  // namespace

Tensor resize(const Tensor& x, int64_t out_h, int64_t out_w, const ResizeOptions& options) {
  check_resize("resize", x.shape(), out_h, out_w, options);
  const int64_t h = x.size(-2), w = x.size(-1), planes = x.numel() / (h * w);
  Tensor narrow = empty(with_image(x.shape(), h, out_w), x.dtype(), "resize");
  Tensor y = empty(with_image(x.shape(), out_h, out_w), x.dtype(), "resize");
  dispatch_float("resize", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    if (planes == 0) return;
    const Tensor xc = contiguous(x);
    resize_columns(detail::axis_weights(w, out_w, options, options.scale_w), planes * h, xc.data<T>(),
                   narrow.mutable_data<T>());
    resize_rows(detail::axis_weights(h, out_h, options, options.scale_h), planes, out_w, narrow.data<T>(), y.mutable_data<T>());
  });
  return y;
}

Tensor resize_backward(const Tensor& dy, const Shape& x_shape, const ResizeOptions& options) {
  const char* op = "resize_backward";
  check(dy.dim() >= 2, ErrorKind::kShape, op, "needs dy [..., H, W]: dy is ", dy.shape(), ".");
  const int64_t out_h = dy.size(-2), out_w = dy.size(-1);
  check_resize(op, x_shape, out_h, out_w, options);
  check(with_image(x_shape, out_h, out_w) == dy.shape(), ErrorKind::kShape, op, "dy and x must differ in H and W alone: dy is ",
        dy.shape(), ", x is ", x_shape, ".");
  const int64_t h = x_shape[x_shape.size() - 2], w = x_shape.back(), planes = dy.numel() / (out_h * out_w);
  Tensor narrow = empty(with_image(x_shape, h, out_w), dy.dtype(), op), dx = empty(x_shape, dy.dtype(), op);
  dispatch_float(op, dy.dtype(), [&](auto zero) {
    using T = decltype(zero);
    if (planes == 0) return;
    const Tensor dyc = contiguous(dy);
    const AxisWeights rows = detail::transposed(detail::axis_weights(h, out_h, options, options.scale_h));
    const AxisWeights columns = detail::transposed(detail::axis_weights(w, out_w, options, options.scale_w));
    resize_rows(rows, planes, out_w, dyc.data<T>(), narrow.mutable_data<T>());
    resize_columns(columns, planes * h, narrow.data<T>(), dx.mutable_data<T>());
  });
  return dx;
}

}  // namespace vitrail
