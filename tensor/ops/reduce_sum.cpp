// Sums, means, products and variances.
#include <cmath>

#include "tensor/kernels/reduce_sum.h"
#include "tensor/ops/elementwise.h"
#include "tensor/ops/reduce.h"
#include "tensor/plain.h"
#include "tensor/reference/reduce.h"
#include "tensor/view.h"

namespace vitrail {

Tensor sum(const Tensor& x, const Axes& axes, bool keepdim) {
  const ReduceLayout layout = reduce_layout(x, axes, keepdim, "sum");
  Tensor out = empty(layout.result, is_float(x.dtype()) ? x.dtype() : Dtype::i64, "sum");
  if (runs_plain(PlainOp::kReduce)) {
    reference::sum(reduced_axes_last(x, axes, "sum"), layout.reduced(), out);
    return out;
  }
  kernels::sum(layout, out);
  return out;
}

Tensor mean(const Tensor& x, const Axes& axes, bool keepdim) {
  const ReduceLayout layout = reduce_layout(x, axes, keepdim, "mean");
  Tensor out = empty(layout.result, x.dtype(), "mean");
  if (runs_plain(PlainOp::kReduce)) {
    reference::mean(reduced_axes_last(x, axes, "mean"), layout.reduced(), out);
    return out;
  }
  kernels::mean(layout, out);
  return out;
}

Tensor prod(const Tensor& x, const Axes& axes, bool keepdim) {
  const ReduceLayout layout = reduce_layout(x, axes, keepdim, "prod", true);
  Tensor out = empty(layout.result, is_float(x.dtype()) ? x.dtype() : Dtype::i64, "prod");
  if (runs_plain(PlainOp::kReduce)) {
    reference::prod(reduced_axes_last(x, axes, "prod"), layout.reduced(), out);
    return out;
  }
  kernels::prod(layout, out);
  return out;
}

Tensor var(const Tensor& x, const Axes& axes, bool keepdim, double correction) {
  check(std::isfinite(correction), ErrorKind::kValue, "var", "correction must be a finite number: it is ", correction);
  const ReduceLayout layout = reduce_layout(x, axes, keepdim, "var", true);
  Tensor out = empty(layout.result, x.dtype(), "var");
  if (runs_plain(PlainOp::kReduce)) {
    reference::var(reduced_axes_last(x, axes, "var"), layout.reduced(), correction, out);
    return out;
  }
  kernels::var(layout, correction, out);
  return out;
}

Tensor sum_to(const Tensor& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  check(broadcast_shapes(x.shape(), shape, "sum_to") == x.shape(), ErrorKind::kShape, "sum_to",
        "the shape must broadcast to the tensor's: tensor is ", x.shape(), ", shape is ", shape);
  // LAB 1.7 BEGIN  The adjoint of broadcasting: sum over the axes that broadcasting adds or repeats, then reshape().
  const int lead = x.dim() - shape.size();
  Axes axes;
  for (int i = 0; i < x.dim(); ++i) {
    if (i < lead || (shape[i - lead] == 1 && x.shape()[i] != 1)) axes.push_back(i);
  }
  return reshape(sum(x, axes), shape);
  // LAB 1.7 END
}

}  // namespace vitrail
