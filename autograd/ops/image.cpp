// Images [B, C, H, W]: padding, convolution, pooling, resizing. Each is linear in x (max pooling: for a fixed choice of the
// maxima), so its gradient is the transposed map. tensor/ops/{conv,pool,resize}.h have the formulas of forward and backward.
#include "autograd/ops/layers.h"
#include "autograd/ops/shape.h"
#include "tensor/ops.h"
#include "tensor/view.h"

namespace vitrail {

// y = x with elements added on both sides of each axis (of any tensor), or cut off where a count is negative.
// Constant: dx = dy cropped where x was padded, padded with 0 where x was cropped. Reflect and edge: an element that was
// repeated sums the gradients of its copies.
Variable pad(const Variable& x, const std::vector<int64_t>& before, const std::vector<int64_t>& after, PadMode mode,
             double value) {
  return record("pad", pad(x.value(), before, after, mode, value), {x},
                [from = x.shape(), before, after, mode](const Tensor& dy, Grads& d) {
                  if (mode == PadMode::kConstant) {
                    std::vector<int64_t> start, end;
                    for (int64_t count : before) start.push_back(-count);
                    for (int64_t count : after) end.push_back(-count);
                    d[0] = pad(dy, start, end);
                    return;
                  }
                  d[0] = dy;
                  for (int axis = 0; axis < from.size(); ++axis) {
                    Shape shape = d[0].shape();
                    shape[axis] = from[axis];
                    // Padding 0, 1, 2, ... in the same way gives the index that each element came from.
                    const Tensor places = arange(0, static_cast<double>(from[axis]), 1, Dtype::i64);
                    d[0] = index_add(shape, axis, pad(places, {before[axis]}, {after[axis]}, mode), d[0]);
                  }
                });
}

// y[b, o, i, j] = bias[o] + sum_{c, p, q} w[o, c, p, q] x[b, c, i s + p d - pad, j s + q d - pad]
// dx: the sum over all (o, p, q) that read this x; dw: over all (b, i, j) that use this w; dbias: over b, i, j.
// x is kept only for dw, and w only for dx.
Variable conv2d(const Variable& x, const Variable& weight, const Variable& bias, const Conv2dOptions& options) {
  return record("conv2d", conv2d(x.value(), weight.value(), bias.defined() ? bias.value() : Tensor(), options),
                {x, weight, bias},
                [xv = Saved(weight.requires_grad() ? x : Variable()), wv = Saved(x.requires_grad() ? weight : Variable()),
                 x_shape = x.shape(), weight_shape = weight.shape(), options](const Tensor& dy, Grads& d) {
                  if (d.needs(0)) d[0] = conv2d_backward_input(dy, *wv, x_shape, options);
                  if (d.needs(1)) d[1] = conv2d_backward_weight(dy, *xv, weight_shape, options);
                  if (d.needs(2)) d[2] = conv2d_backward_bias(dy);
                });
}

// y = the maximum of each window; dx = the sum of dy over the windows whose maximum is this element (the first of equal ones)
Variable max_pool2d(const Variable& x, const Pool2dOptions& options) {
  const auto [y, indices] = max_pool2d_forward(x.value(), options);
  return record("max_pool2d", y, {x}, [places = Saved(indices), x_shape = x.shape()](const Tensor& dy, Grads& d) {
    d[0] = max_pool2d_backward(dy, *places, x_shape);
  });
}

// y = the mean of each window of n elements; dx = the sum of dy / n over the windows that hold x
Variable avg_pool2d(const Variable& x, const Pool2dOptions& options) {
  return record("avg_pool2d", avg_pool2d(x.value(), options), {x}, [x_shape = x.shape(), options](const Tensor& dy, Grads& d) {
    d[0] = avg_pool2d_backward(dy, x_shape, options);
  });
}

// The same with windows that cut H x W into out_h x out_w nearly equal parts
Variable adaptive_avg_pool2d(const Variable& x, int64_t out_h, int64_t out_w) {
  return record("adaptive_avg_pool2d", adaptive_avg_pool2d(x.value(), out_h, out_w), {x},
                [x_shape = x.shape()](const Tensor& dy, Grads& d) { d[0] = adaptive_avg_pool2d_backward(dy, x_shape); });
}

// y = A x B^T per channel, A and B the interpolation weights of rows and columns; dx = A^T dy B
Variable resize(const Variable& x, int64_t out_h, int64_t out_w, const ResizeOptions& options) {
  return record("resize", resize(x.value(), out_h, out_w, options), {x},
                [x_shape = x.shape(), options](const Tensor& dy, Grads& d) { d[0] = resize_backward(dy, x_shape, options); });
}

}  // namespace vitrail
