// Making a tensor larger: pad and tile.
#include "tensor/kernels/axis_blocks.h"
#include "tensor/ops/indexing.h"
#include "tensor/view.h"

namespace vitrail {
namespace {

// x's shape with both sides added; its bytes are checked before anything is allocated.
Shape padded_shape(const Tensor& x, const std::vector<int64_t>& before, const std::vector<int64_t>& after) {
  const auto rank = static_cast<size_t>(x.dim());
  check(before.size() == rank && after.size() == rank, ErrorKind::kShape, "pad", "one entry per axis: before has ",
        before.size(), ", after has ", after.size(), ", x is ", x.shape());
  Shape shape = x.shape();
  for (int i = 0; i < x.dim(); ++i) {
    const auto axis = static_cast<size_t>(i);
    const bool overflow =
        __builtin_add_overflow(shape[i], before[axis], &shape[i]) || __builtin_add_overflow(shape[i], after[axis], &shape[i]);
    check(!overflow && shape[i] >= 0, ErrorKind::kShape, "pad", "the result would have a negative or too large extent: x is ",
          x.shape(), ", axis ", i, " gets ", before[axis], " before and ", after[axis], " after");
  }
  checked_bytes(shape, size_of(x.dtype()), "pad");
  return shape;
}

// Writes the part of x that is not cropped into `out`, which already holds the padding.
Tensor placed(const Tensor& x, const std::vector<int64_t>& before, const std::vector<int64_t>& after, const Tensor& out) {
  Tensor from = x, to = out;
  for (int i = 0; i < x.dim(); ++i) {
    const int64_t front = before[static_cast<size_t>(i)], back = after[static_cast<size_t>(i)], extent = x.size(i);
    if (front <= -extent || back <= -extent) return out;  // everything is cropped
    const int64_t crop = front < 0 ? -front : 0, skip = front > 0 ? front : 0;
    const int64_t length = extent - crop - (back < 0 ? -back : 0);
    if (length <= 0) return out;
    from = slice(from, i, crop, crop + length);
    to = slice(to, i, skip, skip + length);
  }
  copy_(to, from);
  return out;
}

// One axis mirrored at its borders, or its borders repeated.
Tensor pad_axis(const Tensor& x, int axis, int64_t before, int64_t after, PadMode mode) {
  const int64_t extent = x.size(axis);
  const bool reflect = mode == PadMode::kReflect;
  check(before >= 0 && after >= 0, ErrorKind::kValue, "pad", "only constant padding may crop: axis ", axis, " gets ", before,
        " before and ", after, " after");
  check(extent > 0 && (!reflect || (before < extent && after < extent)), ErrorKind::kShape, "pad", "nothing to ",
        reflect ? "reflect" : "repeat", ": x is ", x.shape(), ", axis ", axis, " gets ", before, " before and ", after,
        " after (at most ", extent > 0 ? extent - 1 : 0, ")");
  Shape shape = x.shape();
  shape[axis] = extent + before + after;  // padded_shape() has checked the sum
  const Tensor out = empty(shape, x.dtype(), "pad");
  copy_(slice(out, axis, before, before + extent), x);
  const auto border = [&](int64_t to, int64_t count, int64_t repeated, int64_t mirrored) {
    if (count == 0) return;
    copy_(slice(out, axis, to, to + count),
          reflect ? flip(slice(x, axis, mirrored, mirrored + count), {axis}) : slice(x, axis, repeated, repeated + 1));
  };
  border(0, before, 0, 1);
  border(before + extent, after, extent - 1, extent - 1 - after);
  return out;
}

}  // namespace

Tensor pad(const Tensor& x, const std::vector<int64_t>& before, const std::vector<int64_t>& after, PadMode mode, double value) {
  const Shape shape = padded_shape(x, before, after);
  if (mode == PadMode::kConstant) return placed(x, before, after, full(shape, value, x.dtype()));
  Tensor out = x;
  for (int i = 0; i < x.dim(); ++i) {
    const int64_t front = before[static_cast<size_t>(i)], back = after[static_cast<size_t>(i)];
    if (front != 0 || back != 0) out = pad_axis(out, i, front, back, mode);
  }
  return out.storage() == x.storage() ? clone(x) : out;
}

Tensor pad(const Tensor& x, const std::vector<int64_t>& before, const std::vector<int64_t>& after, const Tensor& value) {
  check(value.numel() == 1 && value.dtype() == x.dtype(), ErrorKind::kValue, "pad",
        "value is one element of x's dtype: value is ", name_of(value.dtype()), " ", value.shape(), ", x is ",
        name_of(x.dtype()));
  const Shape shape = padded_shape(x, before, after);
  const Tensor out = empty(shape, x.dtype(), "pad");
  copy_(out, expand(reshape(value, {}), shape));
  return placed(x, before, after, out);
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
