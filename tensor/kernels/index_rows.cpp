#include "tensor/kernels/index_rows.h"

#include <algorithm>

#include "tensor/machine/parallel.h"

namespace vitrail::detail {

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

// out[..., places[..., i, ...], ...] += src[..., i, ...]; src is contiguous with `shape`, out contiguous. Only the axes before
// `axis` are distributed among threads, since elements of one outer index may share a target.
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

// out[o, index[i], :] += dy[o, i, :]. A lane is one (o, inner) column. Lanes share no targets, and each adds its sources in
// index order.
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

#define VITRAIL_INSTANTIATE(T)                                                                             \
  template void select_blocks(const T*, const std::vector<int64_t>&, const AxisBlocks&, T*);               \
  template void gather_rows(const Tensor&, int, const Shape&, const std::vector<int64_t>&, T*);            \
  template void scatter_rows(const T*, const std::vector<int64_t>&, const Shape&, int, const Tensor&, T*); \
  template void add_blocks(const T*, const std::vector<int64_t>&, const AxisBlocks&, T*);
VITRAIL_INSTANTIATE(float)
VITRAIL_INSTANTIATE(double)
VITRAIL_INSTANTIATE(int64_t)
VITRAIL_INSTANTIATE(uint8_t)
#undef VITRAIL_INSTANTIATE

}  // namespace vitrail::detail
