// Adding elements by index: scatter_add and index_add.
#include "tensor/kernels/index_rows.h"
#include "tensor/ops/indexing.h"
#include "tensor/view.h"

namespace vitrail {
Tensor scatter_add(const Tensor& x, int axis, const Tensor& index, const Tensor& src) {
  axis = normalize_axis(axis, x.dim(), "scatter_add");
  check(index.shape() == src.shape(), ErrorKind::kShape, "scatter_add", "index and src must have one shape: index is ",
        index.shape(), ", src is ", src.shape());
  check(x.dtype() == src.dtype(), ErrorKind::kValue, "scatter_add", "dtypes differ: x is ", name_of(x.dtype()), ", src is ",
        name_of(src.dtype()));
  check(index.dim() == x.dim(), ErrorKind::kShape, "scatter_add", "ranks differ: x is ", x.shape(), ", index is ",
        index.shape());
  for (int i = 0; i < x.dim(); ++i) {
    check(i == axis || index.size(i) <= x.size(i), ErrorKind::kShape, "scatter_add",
          "index is longer than x off the axis: x is ", x.shape(), ", index is ", index.shape(), ", axis is ", axis, " (",
          index.size(i), " vs ", x.size(i), " at axis ", i, ")");
  }
  if (x.dim() == 0) return reshape(scatter_add(reshape(x, {1}), 0, reshape(index, {1}), reshape(src, {1})), {});
  const std::vector<int64_t> places = resolve_indices(index, x.size(axis), /*from_end=*/true, "scatter_add");
  Tensor out = clone(x);
  if (src.numel() == 0) return out;
  const Tensor dense = contiguous(src);
  dispatch(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    detail::scatter_rows(dense.data<T>(), places, src.shape(), axis, out, out.mutable_data<T>());
  });
  return out;
}

Tensor index_add(const Shape& x_shape, int axis, const Tensor& index, const Tensor& dy) {
  axis = normalize_axis(axis, x_shape.size(), "index_add");
  const AxisBlocks b = axis_blocks(x_shape, axis, "index_add");
  const Shape expected = replace_axis(x_shape, axis, index.shape());
  check(dy.shape() == expected, ErrorKind::kShape, "index_add", "dy does not fit: dy is ", dy.shape(), ", x is ", x_shape,
        ", index is ", index.shape(), ", axis is ", axis, " (expected ", expected, ")");
  const std::vector<int64_t> places = resolve_indices(index, b.extent, /*from_end=*/true, "index_add");
  Tensor out = zeros(x_shape, dy.dtype());
  if (dy.numel() == 0) return out;
  const Tensor dense = contiguous(dy);
  dispatch(dy.dtype(), [&](auto zero) {
    using T = decltype(zero);
    detail::add_blocks(dense.data<T>(), places, b, out.mutable_data<T>());
  });
  return out;
}

}  // namespace vitrail
