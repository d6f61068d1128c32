// Making a tensor larger: pad and tile.
#include "tensor/kernels/axis_blocks.h"
#include "tensor/ops/indexing.h"
#include "tensor/view.h"

namespace vitrail {
namespace {

Tensor pad_constant(const Tensor& x, const std::vector<int64_t>& before, const std::vector<int64_t>& after, double value) {
  Shape shape = x.shape();
  for (int i = 0; i < x.dim(); ++i) {
    const bool overflow =
        __builtin_add_overflow(shape[i], before[i], &shape[i]) || __builtin_add_overflow(shape[i], after[i], &shape[i]);
    check(!overflow && shape[i] >= 0, ErrorKind::kShape, "pad", "the result would have a negative or too large extent: x is ",
          x.shape(), ", axis ", i, " gets ", before[i], " before and ", after[i], " after");
  }
  Tensor out = full(shape, value, x.dtype());
  Tensor from = x, to = out;
  for (int i = 0; i < x.dim(); ++i) {
    const int64_t crop = before[i] < 0 ? -before[i] : 0, skip = before[i] > 0 ? before[i] : 0;
    const int64_t length = x.size(i) - crop - (after[i] < 0 ? -after[i] : 0);
    if (length <= 0) return out;
    from = slice(from, i, crop, crop + length);
    to = slice(to, i, skip, skip + length);
  }
  copy_(to, from);
  return out;
}

// Position of x that fills position i (counted from x's first element, so negative in front).
int64_t source_of(int64_t i, int64_t extent, PadMode mode) {
  if (i >= 0 && i < extent) return i;
  if (mode == PadMode::kEdge) return i < 0 ? 0 : extent - 1;
  return i < 0 ? -i : 2 * (extent - 1) - i;
}

Tensor pad_axis(const Tensor& x, int axis, int64_t before, int64_t after, PadMode mode) {
  const int64_t extent = x.size(axis);
  const int64_t limit = mode == PadMode::kReflect ? extent - 1 : (int64_t{1} << 40);
  check(before >= 0 && after >= 0, ErrorKind::kValue, "pad", "only constant padding may crop: axis ", axis, " gets ", before,
        " before and ", after, " after");
  check(extent > 0 && before <= limit && after <= limit, ErrorKind::kShape, "pad", "nothing to ",
        mode == PadMode::kReflect ? "reflect" : "repeat", ": x is ", x.shape(), ", axis ", axis, " gets ", before,
        " before and ", after, " after (at most ", extent > 0 ? limit : 0, ")");
  std::vector<int64_t> index;
  for (int64_t i = -before; i < extent + after; ++i) index.push_back(source_of(i, extent, mode));
  const auto count = static_cast<int64_t>(index.size());
  return index_select(x, axis, from_vector(index, {count}));
}

}  // namespace

Tensor pad(const Tensor& x, const std::vector<int64_t>& before, const std::vector<int64_t>& after, PadMode mode, double value) {
  const auto rank = static_cast<size_t>(x.dim());
  check(before.size() == rank && after.size() == rank, ErrorKind::kShape, "pad", "one entry per axis: before has ",
        before.size(), ", after has ", after.size(), ", x is ", x.shape());
  if (mode == PadMode::kConstant) return pad_constant(x, before, after, value);
  Tensor out = x;
  for (int i = 0; i < x.dim(); ++i) {
    if (before[i] != 0 || after[i] != 0) out = pad_axis(out, i, before[i], after[i], mode);
  }
  return out.storage() == x.storage() ? clone(x) : out;
}

Tensor tile(const Tensor& x, const std::vector<int64_t>& repeats) {
  check(repeats.size() == static_cast<size_t>(x.dim()), ErrorKind::kShape, "tile", "one entry per axis: repeats has ",
        repeats.size(), ", x is ", x.shape());
  Tensor out = clone(x);
  for (int i = x.dim() - 1; i >= 0; --i) {
    check(repeats[i] >= 0, ErrorKind::kValue, "tile", "repeats must not be negative: axis ", i, " gets ", repeats[i]);
    if (repeats[i] == 1) continue;
    Shape shape = out.shape();
    check(!__builtin_mul_overflow(shape[i], repeats[i], &shape[i]), ErrorKind::kShape, "tile", "the result is too long: x is ",
          x.shape(), ", axis ", i, " repeated ", repeats[i], " times");
    const AxisBlocks b = axis_blocks(out.shape(), i, "tile");
    const int64_t block = b.extent * b.inner;
    checked_bytes(shape, size_of(x.dtype()), "tile");
    out = reshape(expand(reshape(out, {b.outer, 1, block}), {b.outer, repeats[i], block}), shape);
  }
  return out;
}

}  // namespace vitrail
