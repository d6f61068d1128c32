// What the reductions share: the way back from the reduced shape to the input's.
#pragma once

#include "autograd/ops.h"
#include "tensor/view.h"

namespace vitrail {

// dy of a reduction of `shape` over `axes` (with or without keepdim), with the reduced axes as extents of one.
inline Tensor keep_axes(const Tensor& dy, const Axes& axes, const Shape& shape) {
  return reshape(dy, reduced_shape(shape, normalize_axes(axes, shape.size(), "reduction"), true));
}

// The same, each value repeated over the elements that it came from: a view.
inline Tensor spread(const Tensor& dy, const Axes& axes, const Shape& shape) {
  return expand(keep_axes(dy, axes, shape), shape);
}

// How many elements go into one result.
inline int64_t reduced_count(const Axes& axes, const Shape& shape) {
  Shape reduced;
  for (int axis : normalize_axes(axes, shape.size(), "reduction")) reduced.push_back(shape[axis]);
  return checked_numel(reduced, "reduction");
}

}  // namespace vitrail
