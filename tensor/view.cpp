#include "tensor/view.h"

#include <algorithm>

namespace vitrail {
namespace {

// x's memory under another shape and strides.
Tensor view_of(const Tensor& x, const Shape& shape, const Shape& strides, int64_t offset) {
  return Tensor(x.storage(), shape, strides, offset, x.dtype());
}

// Replaces one extent of -1 by `numel` divided by the other extents.
Shape infer_extent(const Shape& old_shape, Shape shape, int64_t numel) {
  int inferred = -1;
  Shape known;
  for (int i = 0; i < shape.size(); ++i) {
    if (shape[i] == -1) {
      check(inferred < 0, ErrorKind::kShape, "reshape", "only one extent may be -1: new shape is ", shape);
      inferred = i;
    } else {
      known.push_back(shape[i]);
    }
  }
  const int64_t rest = checked_numel(known, "reshape");
  if (inferred >= 0) {
    check(rest > 0 && numel % rest == 0, ErrorKind::kShape, "reshape", "cannot infer -1: shape is ", old_shape, " (", numel,
          " elements), new shape is ", shape);
    shape[inferred] = numel / rest;
  }
  return shape;
}

}  // namespace

// Walks both shapes from the right. A run of old axes without gaps between them may be cut into new axes in any way.
bool view_strides(const Shape& shape, const Shape& strides, const Shape& new_shape, Shape* result) {
  *result = contiguous_strides(new_shape);
  if (checked_numel(shape) == 0) return true;
  // LAB 1.5 BEGIN  Fill *result with strides that show the same elements in the same order; false if there are none.
  int next = new_shape.size() - 1;
  int64_t group = 1, filled = 1;  // elements of the current run, and how many the new axes took of it
  int64_t base = shape.empty() ? 1 : strides.back();
  for (int i = shape.size() - 1; i >= 0; --i) {
    group *= shape[i];
    const bool run_ends = i == 0 || (shape[i - 1] != 1 && strides[i - 1] != group * base);
    if (!run_ends) continue;
    while (next >= 0 && (filled < group || new_shape[next] == 1)) {
      (*result)[next] = filled * base;
      filled *= new_shape[next--];
    }
    if (filled != group) return false;
    if (i > 0) base = strides[i - 1], group = 1, filled = 1;
  }
  return true;
  // LAB 1.5 END
}

Tensor reshape(const Tensor& x, const Shape& shape) {
  const Shape new_shape = infer_extent(x.shape(), shape, x.numel());
  check(checked_numel(new_shape, "reshape") == x.numel(), ErrorKind::kShape, "reshape", "element counts differ: shape is ",
        x.shape(), " (", x.numel(), "), new shape is ", new_shape, " (", checked_numel(new_shape), ")");
  Shape strides;
  if (view_strides(x.shape(), x.strides(), new_shape, &strides)) return view_of(x, new_shape, strides, x.offset());
  return reshape(clone(x), new_shape);
}

Tensor flatten(const Tensor& x, int start, int end) {
  if (x.dim() == 0) return reshape(x, {1});
  start = normalize_axis(start, x.dim(), "flatten");
  end = normalize_axis(end, x.dim(), "flatten");
  check(start <= end, ErrorKind::kShape, "flatten", "start must not lie behind end: start is ", start, ", end is ", end);
  Shape shape, run;
  for (int i = 0; i < x.dim(); ++i) {
    if (i >= start && i <= end) run.push_back(x.size(i));
    if (i < start || i > end) shape.push_back(x.size(i));
    if (i == end) shape.push_back(checked_numel(run));
  }
  return reshape(x, shape);
}

Tensor transpose(const Tensor& x, int a, int b) {
  a = normalize_axis(a, x.dim(), "transpose");
  b = normalize_axis(b, x.dim(), "transpose");
  Shape shape = x.shape(), strides = x.strides();
  if (x.dim() > 0) std::swap(shape[a], shape[b]), std::swap(strides[a], strides[b]);
  return view_of(x, shape, strides, x.offset());
}

Tensor permute(const Tensor& x, const std::vector<int>& axes) {
  check(static_cast<int>(axes.size()) == x.dim(), ErrorKind::kShape, "permute", "one entry per axis: ", axes.size(),
        " axes, shape is ", x.shape());
  if (!axes.empty()) normalize_axes(axes, x.dim(), "permute");  // checks their range, and that none is repeated
  // LAB 1.3 BEGIN  Axis i of the result is axis axes[i] of x (normalize_axis: it may count from the end). Nothing is copied.
  Shape shape, strides;
  for (int axis : axes) {
    const int i = normalize_axis(axis, x.dim(), "permute");
    shape.push_back(x.shape()[i]);
    strides.push_back(x.strides()[i]);
  }
  return view_of(x, shape, strides, x.offset());
  // LAB 1.3 END
}

Tensor slice(const Tensor& x, int axis, int64_t start, int64_t end, int64_t step) {
  check(x.dim() > 0, ErrorKind::kShape, "slice", "a scalar has no axis to slice");
  check(step >= 1, ErrorKind::kValue, "slice", "step must be at least 1: step is ", step,
        ". Hint: flip(x, {axis}) turns an axis around.");
  axis = normalize_axis(axis, x.dim(), "slice");
  // LAB 1.3 BEGIN  Python's rules: negatives count from the end, the range is clipped to the extent; step >= 1 was checked.
  const int64_t n = x.size(axis);
  const auto clip = [n](int64_t i) { return std::clamp<int64_t>(i < 0 ? i + n : i, 0, n); };
  const int64_t first = clip(start), last = clip(end);
  Shape shape = x.shape(), strides = x.strides();
  shape[axis] = last > first ? (last - first - 1) / step + 1 : 0;
  const int64_t offset = shape[axis] > 0 ? x.offset() + first * strides[axis] : x.offset();
  if (shape[axis] > 1) strides[axis] *= step;
  return view_of(x, shape, strides, offset);
  // LAB 1.3 END
}

Tensor select(const Tensor& x, int axis, int64_t index) {
  check(x.dim() > 0, ErrorKind::kShape, "select", "a scalar has no axis to select from");
  axis = normalize_axis(axis, x.dim(), "select");
  const int64_t n = x.size(axis), i = index < 0 ? index + n : index;
  check(i >= 0 && i < n, ErrorKind::kShape, "select", "index ", index, " is outside axis ", axis, " of ", x.shape());
  Shape shape = x.shape(), strides = x.strides();
  const int64_t offset = x.offset() + i * strides[axis];
  shape.erase(axis);
  strides.erase(axis);
  return view_of(x, shape, strides, x.numel() == 0 ? x.offset() : offset);
}

Tensor expand(const Tensor& x, const Shape& shape) {
  const int lead = shape.size() - x.dim();
  check(lead >= 0, ErrorKind::kShape, "expand", "fewer axes than the tensor has: shape is ", x.shape(), ", new shape is ",
        shape);
  // LAB 1.4 BEGIN  Axes of extent one are repeated with stride 0, new ones may come in front, -1 keeps an extent; else kShape.
  Shape new_shape = shape, strides = shape;
  for (int i = 0; i < shape.size(); ++i) {
    const int64_t old_extent = i < lead ? 1 : x.shape()[i - lead];
    if (shape[i] == -1 && i >= lead) new_shape[i] = old_extent;
    check(new_shape[i] == old_extent || (old_extent == 1 && new_shape[i] >= 0), ErrorKind::kShape, "expand",
          "only extents of one can be repeated: shape is ", x.shape(), ", new shape is ", shape, " (", old_extent, " vs ",
          shape[i], ")");
    strides[i] = i < lead || (old_extent == 1 && new_shape[i] != 1) ? 0 : x.strides()[i - lead];
  }
  return view_of(x, new_shape, strides, x.offset());
  // LAB 1.4 END
}

Tensor unsqueeze(const Tensor& x, int axis) {
  axis = normalize_axis(axis, x.dim() + 1, "unsqueeze");
  Shape shape = x.shape(), strides = x.strides();
  const int64_t stride = axis < x.dim() ? shape[axis] * strides[axis] : 1;
  shape.insert(axis, 1);
  strides.insert(axis, stride);
  return view_of(x, shape, strides, x.offset());
}

Tensor squeeze(const Tensor& x, int axis) {
  check(x.dim() > 0, ErrorKind::kShape, "squeeze", "a scalar has no axis to remove");
  axis = normalize_axis(axis, x.dim(), "squeeze");
  check(x.size(axis) == 1, ErrorKind::kShape, "squeeze", "only an axis of extent one can be removed: axis ", axis, " of ",
        x.shape(), " is ", x.size(axis));
  Shape shape = x.shape(), strides = x.strides();
  shape.erase(axis);
  strides.erase(axis);
  return view_of(x, shape, strides, x.offset());
}

Tensor squeeze(const Tensor& x) {
  Shape shape, strides;
  for (int i = 0; i < x.dim(); ++i) {
    if (x.shape()[i] != 1) shape.push_back(x.shape()[i]), strides.push_back(x.strides()[i]);
  }
  return view_of(x, shape, strides, x.offset());
}

Tensor unfold(const Tensor& x, int axis, int64_t size, int64_t step) {
  check(x.dim() > 0, ErrorKind::kShape, "unfold", "a scalar has no axis to cut into windows");
  axis = normalize_axis(axis, x.dim(), "unfold");
  const int64_t n = x.size(axis);
  check(size >= 1 && step >= 1 && size <= n, ErrorKind::kShape, "unfold", "a window must fit: size is ", size, ", step is ",
        step, ", axis ", axis, " of ", x.shape(), " is ", n);
  Shape shape = x.shape(), strides = x.strides();
  const int64_t stride = strides[axis];
  shape[axis] = (n - size) / step + 1;
  if (shape[axis] > 1) strides[axis] = stride * step;  // a step beyond the axis could overflow
  shape.push_back(size);
  strides.push_back(stride);
  return view_of(x, shape, strides, x.offset());
}

}  // namespace vitrail
