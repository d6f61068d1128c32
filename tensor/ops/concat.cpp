// Joining tensors along an axis, and the views that undo it: concat, stack, split, chunk.
#include <algorithm>
#include <cstring>

#include "tensor/kernels/axis_blocks.h"
#include "tensor/machine/parallel.h"
#include "tensor/ops/indexing.h"
#include "tensor/view.h"

namespace vitrail {
namespace {

// One part of a concat: for each outer position, its elements from the axis on are one contiguous run.
struct Piece {
  Tensor tensor;
  const std::byte* data;
  int64_t run;     // bytes of one run
  int64_t offset;  // where it starts in a run of the result, in bytes
};

// True if the axes from `axis` on are contiguous. The axes before may have any strides (also 0, as in a class token expanded
// over the batch).
bool dense_from(const Tensor& x, int axis) {
  int64_t expected = 1;
  for (int i = x.dim() - 1; i >= axis; --i) {
    if (x.shape()[i] != 1 && x.strides()[i] != expected) return false;
    expected *= x.shape()[i];
  }
  return true;
}

// Where run number `outer` of x starts, in elements.
int64_t run_start(const Tensor& x, int axis, int64_t outer) {
  int64_t start = 0;
  for (int i = axis - 1; i >= 0; --i) {
    start += outer % x.shape()[i] * x.strides()[i];
    outer /= x.shape()[i];
  }
  return start;
}

void check_part(const Tensor& first, const Tensor& part, int axis) {
  check(part.dtype() == first.dtype(), ErrorKind::kValue, "concat", "dtypes differ: the first part is ", name_of(first.dtype()),
        ", another is ", name_of(part.dtype()));
  bool fits = part.dim() == first.dim();
  for (int i = 0; fits && i < first.dim(); ++i) fits = i == axis || part.size(i) == first.size(i);
  check(fits, ErrorKind::kShape, "concat", "shapes differ off axis ", axis, ": the first part is ", first.shape(),
        ", another is ", part.shape());
}

std::vector<Piece> lay_out(const std::vector<Tensor>& parts, int axis, int64_t inner) {
  std::vector<Piece> pieces;
  int64_t offset = 0;
  for (const Tensor& part : parts) {
    if (part.numel() == 0) continue;
    const Tensor dense = dense_from(part, axis) ? part : contiguous(part);
    const int64_t run = part.size(axis) * inner * size_of(part.dtype());
    const auto* data =
        dispatch(part.dtype(), [&](auto zero) { return reinterpret_cast<const std::byte*>(dense.data<decltype(zero)>()); });
    pieces.push_back({dense, data, run, offset});
    offset += run;
  }
  return pieces;
}

std::byte* writable_bytes(Tensor& x) {
  return dispatch(x.dtype(), [&](auto zero) { return reinterpret_cast<std::byte*>(x.mutable_data<decltype(zero)>()); });
}

}  // namespace

Tensor concat(const std::vector<Tensor>& parts, int axis) {
  check(!parts.empty(), ErrorKind::kValue, "concat", "needs at least one part");
  const Tensor& first = parts.front();
  check(first.dim() > 0, ErrorKind::kShape, "concat", "scalars have no axis to join along. Hint: stack(parts, 0).");
  axis = normalize_axis(axis, first.dim(), "concat");
  Shape shape = first.shape();
  shape[axis] = 0;
  for (const Tensor& part : parts) {
    check_part(first, part, axis);
    check(!__builtin_add_overflow(shape[axis], part.size(axis), &shape[axis]), ErrorKind::kShape, "concat",
          "the parts together are too long");
  }
  Tensor out = empty(shape, first.dtype(), "concat");
  if (out.numel() == 0) return out;
  const AxisBlocks b = axis_blocks(shape, axis, "concat");
  const std::vector<Piece> pieces = lay_out(parts, axis, b.inner);
  const int64_t row = b.extent * b.inner * size_of(first.dtype()), count = static_cast<int64_t>(pieces.size());
  std::byte* to = writable_bytes(out);
  const int64_t grain = std::max<int64_t>(1, kElementwiseGrain * 4 * count / row);  // about 64 KiB
  parallel_for(b.outer * count, grain, [&](int64_t begin, int64_t end) {
    for (int64_t job = begin; job < end; ++job) {
      const int64_t o = job / count;
      const Piece& piece = pieces[job % count];
      const int64_t start = run_start(piece.tensor, axis, o) * size_of(piece.tensor.dtype());
      std::memcpy(to + o * row + piece.offset, piece.data + start, piece.run);
    }
  });
  return out;
}

Tensor stack(const std::vector<Tensor>& parts, int axis) {
  check(!parts.empty(), ErrorKind::kValue, "stack", "needs at least one part");
  std::vector<Tensor> wider;
  for (const Tensor& part : parts) {
    check(part.shape() == parts.front().shape(), ErrorKind::kShape, "stack", "shapes differ: the first part is ",
          parts.front().shape(), ", another is ", part.shape());
    wider.push_back(unsqueeze(part, axis));
  }
  return concat(wider, normalize_axis(axis, parts.front().dim() + 1, "stack"));
}

std::vector<Tensor> split(const Tensor& x, const std::vector<int64_t>& lengths, int axis) {
  check(x.dim() > 0, ErrorKind::kShape, "split", "a scalar has no axis to split");
  axis = normalize_axis(axis, x.dim(), "split");
  int64_t rest = x.size(axis);
  for (int64_t length : lengths) {
    check(length >= 0, ErrorKind::kValue, "split", "lengths must not be negative: one is ", length);
    check(length <= rest, ErrorKind::kShape, "split", "lengths add up to more than axis ", axis, " of ", x.shape());
    rest -= length;
  }
  check(rest == 0, ErrorKind::kShape, "split", "lengths leave ", rest, " of axis ", axis, " of ", x.shape(), " over");
  std::vector<Tensor> parts;
  int64_t start = 0;
  for (int64_t length : lengths) {
    parts.push_back(slice(x, axis, start, start + length));
    start += length;
  }
  return parts;
}

std::vector<Tensor> chunk(const Tensor& x, int64_t count, int axis) {
  check(x.dim() > 0, ErrorKind::kShape, "chunk", "a scalar has no axis to cut");
  const int64_t extent = x.size(axis);
  check(count >= 1 && count <= std::max<int64_t>(extent, 1), ErrorKind::kValue, "chunk", "1 to ", std::max<int64_t>(extent, 1),
        " parts are possible: count is ", count, ", x is ", x.shape(), ", axis is ", axis);
  std::vector<int64_t> lengths;
  for (int64_t i = 0; i < count; ++i) lengths.push_back(extent / count + (i < extent % count ? 1 : 0));
  return split(x, lengths, axis);
}

}  // namespace vitrail
