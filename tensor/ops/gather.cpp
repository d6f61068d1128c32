// Reading elements by index: index_select, gather, embedding, one_hot.
#include "tensor/kernels/index_rows.h"
#include "tensor/ops/indexing.h"
#include "tensor/view.h"

namespace vitrail {
namespace {

Tensor select_along(const Tensor& x, int axis, const Tensor& index, bool from_end, const char* op) {
  axis = normalize_axis(axis, x.dim(), op);
  const AxisBlocks b = axis_blocks(x.shape(), axis, op);
  const std::vector<int64_t> places = resolve_indices(index, b.extent, from_end, op);
  Tensor out = empty(replace_axis(x.shape(), axis, index.shape()), x.dtype(), op);
  if (out.numel() == 0) return out;
  const Tensor dense = contiguous(x);
  dispatch(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    detail::select_blocks(dense.data<T>(), places, b, out.mutable_data<T>());
  });
  return out;
}

}  // namespace

Tensor index_select(const Tensor& x, int axis, const Tensor& index) {
  return select_along(x, axis, index, /*from_end=*/true, "index_select");
}

Tensor gather(const Tensor& x, int axis, const Tensor& index) {
  axis = normalize_axis(axis, x.dim(), "gather");
  check(index.dim() == x.dim(), ErrorKind::kShape, "gather", "ranks differ: x is ", x.shape(), ", index is ", index.shape());
  for (int i = 0; i < x.dim(); ++i) {
    check(i == axis || index.size(i) <= x.size(i), ErrorKind::kShape, "gather", "index is longer than x off the axis: x is ",
          x.shape(), ", index is ", index.shape(), ", axis is ", axis, " (", index.size(i), " vs ", x.size(i), " at axis ", i,
          ")");
  }
  if (x.dim() == 0) return reshape(gather(reshape(x, {1}), 0, reshape(index, {1})), {});
  const std::vector<int64_t> places = resolve_indices(index, x.size(axis), /*from_end=*/true, "gather");
  Tensor out = empty(index.shape(), x.dtype(), "gather");
  if (out.numel() == 0) return out;
  dispatch(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    detail::gather_rows(x, axis, index.shape(), places, out.mutable_data<T>());
  });
  return out;
}

Tensor embedding(const Tensor& weight, const Tensor& index) {
  check(weight.dim() == 2, ErrorKind::kShape, "embedding", "weight must be [V, D]: weight is ", weight.shape());
  return select_along(weight, 0, index, /*from_end=*/false, "embedding");
}

Tensor one_hot(const Tensor& index, int64_t classes, Dtype dtype) {
  check(classes >= 0, ErrorKind::kValue, "one_hot", "classes must not be negative: classes is ", classes);
  const std::vector<int64_t> places = resolve_indices(index, classes, /*from_end=*/false, "one_hot");
  Shape shape = index.shape();
  shape.push_back(classes);
  Tensor out = zeros(shape, dtype);
  dispatch(dtype, [&](auto zero) {
    using T = decltype(zero);
    T* data = out.mutable_data<T>();
    for (size_t i = 0; i < places.size(); ++i) data[static_cast<int64_t>(i) * classes + places[i]] = T{1};
  });
  return out;
}

}  // namespace vitrail
