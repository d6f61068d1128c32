// Reordering and masking of elements: flip, roll, tril, triu.
#include <algorithm>

#include "tensor/kernels/axis_blocks.h"
#include "tensor/machine/parallel.h"
#include "tensor/ops/indexing.h"
#include "tensor/view.h"

namespace vitrail {
namespace {

// out[o, i, :] = x[o, extent - 1 - i, :]
Tensor flip_axis(const Tensor& x, int axis) {
  const AxisBlocks b = axis_blocks(x.shape(), axis, "flip");
  Tensor out = empty(x.shape(), x.dtype(), "flip");
  if (x.numel() == 0) return out;
  dispatch(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* from = x.data<T>();
    T* to = out.mutable_data<T>();
    const int64_t block = b.extent * b.inner;
    parallel_for(b.outer, std::max<int64_t>(1, kElementwiseGrain / block), [&](int64_t begin, int64_t end) {
      for (int64_t o = begin; o < end; ++o) {
        if (b.inner == 1) {
          std::reverse_copy(from + o * block, from + (o + 1) * block, to + o * block);
          continue;
        }
        for (int64_t i = 0; i < b.extent; ++i) {
          std::copy_n(from + o * block + (b.extent - 1 - i) * b.inner, b.inner, to + o * block + i * b.inner);
        }
      }
    });
  });
  return out;
}

// Keeps columns [first(i), last(i)) of row i of every matrix, zeros elsewhere.
template <class First, class Last>
Tensor keep_columns(const Tensor& x, const char* op, First&& first, Last&& last) {
  check(x.dim() >= 2, ErrorKind::kShape, op, "needs at least two axes: x is ", x.shape());
  Tensor out = empty(x.shape(), x.dtype(), op);
  if (x.numel() == 0) return out;
  const Tensor dense = contiguous(x);
  const int64_t rows = x.size(-2), columns = x.size(-1);
  dispatch(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* from = dense.data<T>();
    T* to = out.mutable_data<T>();
    parallel_for(x.numel() / columns, std::max<int64_t>(1, kElementwiseGrain / columns), [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        const int64_t a = std::clamp<int64_t>(first(row % rows), 0, columns);
        const int64_t b = std::clamp<int64_t>(last(row % rows), a, columns);
        const T* source = from + row * columns;
        T* target = to + row * columns;
        for (int64_t j = 0; j < columns; ++j) target[j] = j >= a && j < b ? source[j] : T{0};
      }
    });
  });
  return out;
}

// All diagonals outside the matrix give the same result; clamping k keeps the sums below from overflowing.
int64_t bounded_diagonal(const Tensor& x, int64_t k) { return std::clamp<int64_t>(k, -x.numel() - 1, x.numel() + 1); }

}  // namespace

Tensor flip(const Tensor& x, const std::vector<int>& axes) {
  if (axes.empty()) return clone(x);
  Tensor out = contiguous(x);
  for (int axis : normalize_axes(axes, x.dim(), "flip")) out = flip_axis(out, axis);
  return out.storage() == x.storage() ? clone(x) : out;
}

Tensor roll(const Tensor& x, int64_t shift, int axis) {
  axis = normalize_axis(axis, x.dim(), "roll");
  const int64_t n = x.size(axis);
  if (x.numel() == 0 || shift % n == 0) return clone(x);
  const int64_t cut = n - (shift % n + n) % n;  // the element that becomes the first
  return concat({slice(x, axis, cut, n), slice(x, axis, 0, cut)}, axis);
}

Tensor tril(const Tensor& x, int64_t k) {
  k = bounded_diagonal(x, k);
  return keep_columns(
      x, "tril", [](int64_t) { return int64_t{0}; }, [k](int64_t row) { return row + k + 1; });
}

Tensor triu(const Tensor& x, int64_t k) {
  k = bounded_diagonal(x, k);
  return keep_columns(
      x, "triu", [k](int64_t row) { return row + k; }, [&x](int64_t) { return x.size(-1); });
}

}  // namespace vitrail
