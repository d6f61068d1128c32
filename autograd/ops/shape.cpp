// Ops that change the shape or the order of elements, or take some of them. They return views where the tensor function does.
#include "autograd/ops/shape.h"
#include "tensor/ops.h"
#include "tensor/view.h"

namespace vitrail {

// y = x repeated along new axes and along axes of extent one; dx = the sum of dy over the copies. Every broadcasting op starts
// with this one, so no other op needs to sum a gradient over copies.
Variable broadcast_to(const Variable& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  // LAB 3.6 BEGIN  x repeated, a view (expand). What does an element that was read many times receive?
  return record("broadcast_to", expand(x.value(), shape), {x},
                [from = x.shape()](const Tensor& dy, Grads& d) { d[0] = sum_to(dy, from); });
  // LAB 3.6 END
}

// broadcast_to, where -1 keeps the extent of an axis
Variable expand(const Variable& x, const Shape& shape) {
  return broadcast_to(x, expand(x.value(), shape).shape());  // the tensor function resolves -1
}

// y = the same elements in the same order; dx = dy in the shape of x
Variable reshape(const Variable& x, const Shape& shape) {
  // LAB 3.6 BEGIN  The same elements in another shape.
  return record("reshape", reshape(x.value(), shape), {x},
                [from = x.shape()](const Tensor& dy, Grads& d) { d[0] = reshape(dy, from); });
  // LAB 3.6 END
}

// y = x with the axes start .. end as one; dx = dy in the shape of x
Variable flatten(const Variable& x, int start, int end) {
  return record("flatten", flatten(x.value(), start, end), {x},
                [from = x.shape()](const Tensor& dy, Grads& d) { d[0] = reshape(dy, from); });
}

// y = x with a new axis of extent one; dx = dy without it
Variable unsqueeze(const Variable& x, int axis) {
  return record("unsqueeze", unsqueeze(x.value(), axis), {x},
                [from = x.shape()](const Tensor& dy, Grads& d) { d[0] = reshape(dy, from); });
}

// y = x without an axis of extent one; dx = dy with it
Variable squeeze(const Variable& x, int axis) {
  return record("squeeze", squeeze(x.value(), axis), {x},
                [from = x.shape()](const Tensor& dy, Grads& d) { d[0] = reshape(dy, from); });
}

// y = x with two axes exchanged; dx = dy with them exchanged
Variable transpose(const Variable& x, int a, int b) {
  return record("transpose", transpose(x.value(), a, b), {x},
                [a, b](const Tensor& dy, Grads& d) { d[0] = transpose(dy, a, b); });
}

// y = x with axis axes[i] at place i; dx = dy under the inverse permutation
Variable permute(const Variable& x, const std::vector<int>& axes) {
  // LAB 3.6 BEGIN  x with axis axes[i] at place i. Axes may count from the end: normalize_axis(axis, rank, "permute").
  Tensor y = permute(x.value(), axes);  // checks axes
  std::vector<int> inverse(axes.size());
  for (size_t i = 0; i < axes.size(); ++i) inverse[normalize_axis(axes[i], x.dim(), "permute")] = static_cast<int>(i);
  return record("permute", y, {x}, [inverse](const Tensor& dy, Grads& d) { d[0] = permute(dy, inverse); });
  // LAB 3.6 END
}

// y = x[start : end : step] along an axis; dx = dy there, 0 elsewhere
Variable slice(const Variable& x, int axis, int64_t start, int64_t end, int64_t step) {
  // LAB 3.6 BEGIN  x[start : end : step] along an axis. The elements that were left out receive 0.
  return record("slice", slice(x.value(), axis, start, end, step), {x},
                [from = x.shape(), axis, start, end, step](const Tensor& dy, Grads& d) {
                  d[0] = zeros(from, dy.dtype());
                  copy_(slice(d[0], axis, start, end, step), dy);
                });
  // LAB 3.6 END
}

// y = a row-major copy of x (x itself, without a node, if it is row-major already); dx = dy
Variable contiguous(const Variable& x) {
  if (x.value().is_contiguous()) return x;
  return record("contiguous", contiguous(x.value()), {x}, [](const Tensor& dy, Grads& d) { d[0] = dy; });
}

// y = windows of one axis: [..., L, ...] -> [..., W, ..., size]; dx = the sum of dy over the windows that hold x
Variable unfold(const Variable& x, int axis, int64_t size, int64_t step) {
  Tensor y = unfold(x.value(), axis, size, step);
  axis = normalize_axis(axis, x.dim(), "unfold");
  return record("unfold", y, {x}, [from = x.shape(), axis, size, step](const Tensor& dy, Grads& d) {
    d[0] = zeros(from, dy.dtype());
    const int64_t windows = dy.size(axis);
    if (windows == 0) return;
    // The j-th elements of all windows are a slice of x with the windows' step, which holds no element twice.
    for (int64_t j = 0; j < size; ++j) add_(slice(d[0], axis, j, j + (windows - 1) * step + 1, step), select(dy, -1, j));
  });
}

}  // namespace vitrail
