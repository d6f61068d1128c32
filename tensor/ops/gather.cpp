// Picking elements by index: index_select, gather, embedding, one_hot.
#include <algorithm>

#include "tensor/kernels/axis_blocks.h"
#include "tensor/machine/parallel.h"
#include "tensor/ops/indexing.h"
#include "tensor/view.h"

namespace vitrail {
namespace {

// out[o, i, :] = x[o, index[i], :] for contiguous x [outer, extent, inner]. Whole runs of `inner` elements are copied at once.
template <class T>
void select_blocks(const T* x, const std::vector<int64_t>& index, const AxisBlocks& b, T* out) {
  const int64_t count = static_cast<int64_t>(index.size());
  const int64_t inner = b.inner;
  parallel_for(b.outer * count, std::max<int64_t>(1, kElementwiseGrain / std::max<int64_t>(1, inner)),
               [&](int64_t begin, int64_t end) {
                 for (int64_t row = begin; row < end; ++row) {
                   const T* from = x + (row / count * b.extent + index[row % count]) * inner;
                   if (inner == 1) {
                     out[row] = *from;
                   } else {
                     std::copy_n(from, inner, out + row * inner);
                   }
                 }
               });
}

Tensor select_along(const Tensor& x, int axis, const Tensor& index, bool from_end, const char* op) {
  axis = normalize_axis(axis, x.dim(), op);
  const AxisBlocks b = axis_blocks(x.shape(), axis, op);
  const std::vector<int64_t> places = resolve_indices(index, b.extent, from_end, op);
  Tensor out = empty(replace_axis(x.shape(), axis, index.shape()), x.dtype(), op);
  if (out.numel() == 0) return out;
  const Tensor dense = contiguous(x);
  dispatch(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    select_blocks(dense.data<T>(), places, b, out.mutable_data<T>());
  });
  return out;
}

// One row (the last axis) of gather: element j comes from axis position places[j], at step * j along the last axis of x.
template <class T>
void gather_rows(const Tensor& x, int axis, const Shape& shape, const std::vector<int64_t>& places, T* out) {
  const T* data = x.data<T>();
  const int last = shape.size() - 1;
  const int64_t length = shape[last], rows = checked_numel(shape, "gather") / length;
  const int64_t axis_stride = x.strides()[axis], step = axis == last ? 0 : x.strides()[last];
  parallel_for(rows, std::max<int64_t>(1, kElementwiseGrain / length), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      int64_t rest = row, base = 0;
      for (int i = last - 1; i >= 0; --i) {
        if (i != axis) base += rest % shape[i] * x.strides()[i];
        rest /= shape[i];
      }
      const int64_t* place = places.data() + row * length;
      for (int64_t j = 0; j < length; ++j) out[row * length + j] = data[base + place[j] * axis_stride + j * step];
    }
  });
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
    gather_rows(x, axis, index.shape(), places, out.mutable_data<T>());
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
