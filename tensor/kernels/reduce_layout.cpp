#include "tensor/kernels/reduce_layout.h"

#include <algorithm>

#include "tensor/view.h"

namespace vitrail {

Tensor reduced_axes_last(const Tensor& x, const Axes& axes, const char* op) {
  const std::vector<int> reduced = normalize_axes(axes, x.dim(), op);
  std::vector<int> order;
  for (int i = 0; i < x.dim(); ++i) {
    if (std::find(reduced.begin(), reduced.end(), i) == reduced.end()) order.push_back(i);
  }
  order.insert(order.end(), reduced.begin(), reduced.end());
  return permute(x, order);
}

ReduceLayout reduce_layout(const Tensor& x, const Axes& axes, bool keepdim, const char* op, bool rows_only) {
  const std::vector<int> reduced = normalize_axes(axes, x.dim(), op);
  ReduceLayout layout;
  layout.result = reduced_shape(x.shape(), reduced, keepdim);
  const int64_t kept_count = checked_numel(layout.result);
  Shape reduced_extents;
  for (int axis : reduced) reduced_extents.push_back(x.shape()[axis]);
  const int64_t reduced_count = checked_numel(reduced_extents);
  const bool neighbours = !reduced.empty() && reduced.back() - reduced.front() + 1 == static_cast<int>(reduced.size());
  if (neighbours && reduced.back() + 1 < x.dim() && x.is_contiguous() && !rows_only) {
    Shape outer;
    for (int i = 0; i < reduced.front(); ++i) outer.push_back(x.shape()[i]);
    const int64_t outer_count = checked_numel(outer);
    layout.matrix = reshape(x, {outer_count, reduced_count, outer_count > 0 ? kept_count / outer_count : 0});
    layout.over_rows = false;
    return layout;
  }
  layout.matrix = contiguous(reshape(contiguous(reduced_axes_last(x, axes, op)), {kept_count, reduced_count}));
  return layout;
}

}  // namespace vitrail
