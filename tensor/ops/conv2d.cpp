// conv2d and its gradients: what is checked, and which kernel runs.
#include "tensor/reference/conv2d.h"
#include "tensor/kernels/conv2d_detail.h"
#include "tensor/plain.h"
#include "tensor/view.h"

namespace vitrail {
namespace {

using detail::ConvGeometry;

void check_same_dtype(const char* op, const char* name, const Tensor& t, Dtype dtype) {
  check(t.dtype() == dtype, ErrorKind::kValue, op, "dtypes differ: ", name, " is ", name_of(t.dtype()), ", the rest is ",
        name_of(dtype), ". Hint: convert with to().");
}

void check_gradient(const char* op, const Tensor& dy, const ConvGeometry& g) {
  check(dy.shape() == g.out_shape(), ErrorKind::kShape, op, "dy must have the shape of the output: dy is ", dy.shape(),
        ", the output is ", g.out_shape(), ".");
}

}  // namespace

Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias, const Conv2dOptions& options) {
  const ConvGeometry g = detail::conv_geometry("conv2d", x.shape(), weight.shape(), options);
  check_same_dtype("conv2d", "weight", weight, x.dtype());
  if (bias.defined()) {
    check(bias.shape() == Shape{g.out_channels}, ErrorKind::kShape, "conv2d", "bias must be [", g.out_channels, "]: weight is ",
          weight.shape(), ", bias is ", bias.shape(), ".");
    check_same_dtype("conv2d", "bias", bias, x.dtype());
  }
  Tensor y = empty(g.out_shape(), x.dtype(), "conv2d");
  if (runs_plain(PlainOp::kConv2d)) {
    reference::conv2d(x, weight, bias, options, y);
    return y;
  }
  if (x.numel() == 0) {  // empty sums (no channels, or padding only); their number may be too large for a loop
    const Tensor sums = bias.defined() ? reshape(bias, {1, g.out_channels, 1, 1}) : zeros({1, 1, 1, 1}, x.dtype());
    copy_(y, expand(sums, y.shape()));
  }
  dispatch_float("conv2d", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    if (y.numel() == 0 || x.numel() == 0) return;
    const Tensor xc = contiguous(x), wc = contiguous(weight), bc = bias.defined() ? contiguous(bias) : Tensor{};
    const T* b = bc.defined() ? bc.data<T>() : nullptr;
    detail::gather_product(detail::forward_gather(g), xc.data<T>(), wc.data<T>(), b, y.mutable_data<T>());
  });
  return y;
}

Tensor conv2d_backward_input(const Tensor& dy, const Tensor& weight, const Shape& x_shape, const Conv2dOptions& options) {
  const ConvGeometry g = detail::conv_geometry("conv2d_backward_input", x_shape, weight.shape(), options);
  check_gradient("conv2d_backward_input", dy, g);
  check_same_dtype("conv2d_backward_input", "weight", weight, dy.dtype());
  if (runs_plain(PlainOp::kConv2d)) {
    const Tensor dx = empty(x_shape, dy.dtype(), "conv2d_backward_input");
    reference::conv2d_backward_input(dy, weight, options, dx);
    return dx;
  }
  if (dy.numel() == 0 || checked_numel(x_shape) == 0) return zeros(x_shape, dy.dtype());
  const std::vector<detail::Gather> gathers = detail::input_gradient_gathers(g);
  int64_t written = 0;  // pixels of dx in one group of one image
  for (const detail::Gather& part : gathers) written += part.out_channels * part.h.outputs * part.w.outputs;
  const bool all_written = written == g.group_channels * g.height * g.width;
  Tensor dx = all_written ? empty(x_shape, dy.dtype(), "conv2d_backward_input") : zeros(x_shape, dy.dtype());
  dispatch_float("conv2d_backward_input", dy.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const Tensor dyc = contiguous(dy), wc = contiguous(weight);
    const T* none = nullptr;
    for (const detail::Gather& part : gathers)
      detail::gather_product(part, dyc.data<T>(), wc.data<T>(), none, dx.mutable_data<T>());
  });
  return dx;
}

Tensor conv2d_backward_weight(const Tensor& dy, const Tensor& x, const Shape& weight_shape, const Conv2dOptions& options) {
  const ConvGeometry g = detail::conv_geometry("conv2d_backward_weight", x.shape(), weight_shape, options);
  check_gradient("conv2d_backward_weight", dy, g);
  check_same_dtype("conv2d_backward_weight", "x", x, dy.dtype());
  Tensor dweight = zeros(weight_shape, dy.dtype());
  if (runs_plain(PlainOp::kConv2d)) {
    reference::conv2d_backward_weight(dy, x, options, dweight);
    return dweight;
  }
  dispatch_float("conv2d_backward_weight", dy.dtype(), [&](auto zero) {
    using T = decltype(zero);
    if (dweight.numel() == 0 || dy.numel() == 0) return;
    const Tensor dyc = contiguous(dy), xc = contiguous(x);
    detail::weight_gradient_product(detail::forward_gather(g), dyc.data<T>(), xc.data<T>(), dweight.mutable_data<T>());
  });
  return dweight;
}

Tensor conv2d_backward_bias(const Tensor& dy) {
  check(dy.dim() == 4, ErrorKind::kShape, "conv2d_backward_bias", "needs dy [B, O, H, W]: dy is ", dy.shape(), ".");
  const int64_t batch = dy.size(0), channels = dy.size(1), plane = checked_numel({dy.size(2), dy.size(3)});
  Tensor db = empty({channels}, dy.dtype());
  if (runs_plain(PlainOp::kConv2d)) {
    reference::conv2d_backward_bias(dy, db);
    return db;
  }
  if (dy.numel() == 0) return zeros({channels}, dy.dtype());
  dispatch_float("conv2d_backward_bias", dy.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const Tensor dyc = contiguous(dy);
    detail::bias_gradient(batch, channels, plane, dyc.data<T>(), db.mutable_data<T>());
  });
  return db;
}

}  // namespace vitrail
