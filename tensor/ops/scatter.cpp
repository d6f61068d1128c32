// Placing elements by index: scatter_add and index_add. Two sources with one target meet in index order on one thread, so the
// sum has the same bits for any number of threads.
#include <algorithm>

#include "tensor/kernels/axis_blocks.h"
#include "tensor/machine/parallel.h"
#include "tensor/ops/indexing.h"
#include "tensor/view.h"

namespace vitrail {
namespace {

// out[..., places[..., i, ...], ...] += src[..., i, ...]; src is contiguous with `shape`, out contiguous. Only the axes in
// front of `axis` are shared out among threads: behind them, targets may coincide.
template <class T>
void scatter_rows(const T* src, const std::vector<int64_t>& places, const Shape& shape, int axis, const Tensor& target,
                  T* out) {
  const int last = shape.size() - 1;
  const Shape& strides = target.strides();
  const AxisBlocks b = axis_blocks(shape, axis, "scatter_add");
  const int64_t length = shape[last], rows_per_outer = b.extent * b.inner / length;
  // With the axis last, the rows before it are its outer blocks, one row each.
  const int64_t axis_stride = strides[axis], step = axis == last ? 0 : strides[last];
  parallel_for(b.outer, std::max<int64_t>(1, kElementwiseGrain / (b.extent * b.inner)), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin * rows_per_outer; row < end * rows_per_outer; ++row) {
      int64_t rest = row, base = 0;
      for (int i = last - 1; i >= 0; --i) {
        if (i != axis) base += rest % shape[i] * strides[i];
        rest /= shape[i];
      }
      const int64_t from = row * length;
      for (int64_t j = 0; j < length; ++j) {
        T& cell = out[base + places[from + j] * axis_stride + j * step];
        cell = static_cast<T>(cell + src[from + j]);
      }
    }
  });
}

// out[o, index[i], :] += dy[o, i, :]. A lane is one (o, inner) column: lanes never meet, each takes its sources in index order.
template <class T>
void add_blocks(const T* dy, const std::vector<int64_t>& index, const AxisBlocks& b, T* out) {
  const int64_t count = static_cast<int64_t>(index.size());
  constexpr int64_t kCacheLine = 16;  // narrower strips of columns would share cache lines between threads
  parallel_for(b.outer * b.inner, std::max(kCacheLine, kElementwiseGrain / count), [&](int64_t begin, int64_t end) {
    for (int64_t lane = begin; lane < end;) {
      const int64_t o = lane / b.inner, first = lane % b.inner;
      const int64_t width = std::min(b.inner - first, end - lane);
      for (int64_t i = 0; i < count; ++i) {
        const T* from = dy + (o * count + i) * b.inner + first;
        T* to = out + (o * b.extent + index[i]) * b.inner + first;
        for (int64_t j = 0; j < width; ++j) to[j] = static_cast<T>(to[j] + from[j]);
      }
      lane += width;
    }
  });
}

}  // namespace

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
    scatter_rows(dense.data<T>(), places, src.shape(), axis, out, out.mutable_data<T>());
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
    add_blocks(dense.data<T>(), places, b, out.mutable_data<T>());
  });
  return out;
}

}  // namespace vitrail
