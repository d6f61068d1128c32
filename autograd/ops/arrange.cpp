// Tensors put together, taken apart, padded, repeated, reversed or cut along a diagonal.
#include "autograd/ops.h"
#include "tensor/view.h"

namespace vitrail {

// Each part gets its piece of dy back, as a view.
Variable concat(const std::vector<Variable>& parts, int axis) {
  std::vector<Tensor> values;
  for (const Variable& part : parts) values.push_back(part.value());
  Tensor y = concat(values, axis);
  std::vector<int64_t> lengths;
  for (const Tensor& value : values) lengths.push_back(value.size(axis));
  return record("concat", y, parts, [lengths, axis](const Tensor& dy, Grads& d) {
    int64_t start = 0;
    for (int i = 0; i < d.size(); ++i) {
      if (d.needs(i)) d[i] = slice(dy, axis, start, start + lengths[i]);
      start += lengths[i];
    }
  });
}

// Each part gets its index of the new axis back, as a view.
Variable stack(const std::vector<Variable>& parts, int axis) {
  std::vector<Tensor> values;
  for (const Variable& part : parts) values.push_back(part.value());
  return record("stack", stack(values, axis), parts, [axis](const Tensor& dy, Grads& d) {
    for (int i = 0; i < d.size(); ++i) {
      if (d.needs(i)) d[i] = select(dy, axis, i);
    }
  });
}

// A slice for each length. A node has one output, so the parts are nodes of their own.
std::vector<Variable> split(const Variable& x, const std::vector<int64_t>& lengths, int axis) {
  split(x.value(), lengths, axis);  // checks that the lengths add up
  std::vector<Variable> parts;
  int64_t start = 0;
  for (int64_t length : lengths) {
    parts.push_back(slice(x, axis, start, start + length));
    start += length;
  }
  return parts;
}

// split into nearly equal parts.
std::vector<Variable> chunk(const Variable& x, int64_t count, int axis) {
  std::vector<int64_t> lengths;
  for (const Tensor& part : chunk(x.value(), count, axis)) lengths.push_back(part.size(axis));
  return split(x, lengths, axis);
}

// Elements added on both sides of each axis. Constant: dy is cropped where x was padded, and padded where x was cropped.
// Reflect and edge: an element that was repeated sums the gradients of its copies.
Variable pad(const Variable& x, const std::vector<int64_t>& before, const std::vector<int64_t>& after, PadMode mode,
             double value) {
  return record("pad", pad(x.value(), before, after, mode, value), {x},
                [from = x.shape(), before, after, mode](const Tensor& dy, Grads& d) {
                  if (mode == PadMode::kConstant) {
                    std::vector<int64_t> start, end;
                    for (int64_t count : before) start.push_back(-count);
                    for (int64_t count : after) end.push_back(-count);
                    d[0] = pad(dy, start, end);
                    return;
                  }
                  d[0] = dy;
                  for (int axis = 0; axis < from.size(); ++axis) {
                    Shape shape = d[0].shape();
                    shape[axis] = from[axis];
                    // 0, 1, 2, ... padded the same way tells where each element came from.
                    const Tensor places = arange(0, static_cast<double>(from[axis]), 1, Dtype::i64);
                    d[0] = index_add(shape, axis, pad(places, {before[axis]}, {after[axis]}, mode), d[0]);
                  }
                });
}

// x repeated along each axis: its elements sum the gradients of their copies.
Variable tile(const Variable& x, const std::vector<int64_t>& repeats) {
  return record("tile", tile(x.value(), repeats), {x}, [from = x.shape(), repeats](const Tensor& dy, Grads& d) {
    // One axis after the other, since all at once would take twice the axes that a tensor can have.
    d[0] = dy;
    for (int axis = 0; axis < from.size(); ++axis) {
      if (repeats[axis] == 1) continue;
      Shape outer, inner, shape = d[0].shape();
      for (int i = 0; i < axis; ++i) outer.push_back(shape[i]);
      for (int i = axis + 1; i < shape.size(); ++i) inner.push_back(shape[i]);
      shape[axis] = from[axis];
      const Shape copies{checked_numel(outer, "tile"), repeats[axis], from[axis], checked_numel(inner, "tile")};
      d[0] = reshape(sum(reshape(d[0], copies), {1}), shape);
    }
  });
}

// Reversing axes is its own inverse.
Variable flip(const Variable& x, const std::vector<int>& axes) {
  return record("flip", flip(x.value(), axes), {x}, [axes](const Tensor& dy, Grads& d) { d[0] = flip(dy, axes); });
}

// Rolling back is the inverse.
Variable roll(const Variable& x, int64_t shift, int axis) {
  return record("roll", roll(x.value(), shift, axis), {x},
                [shift, axis](const Tensor& dy, Grads& d) { d[0] = roll(dy, -shift, axis); });
}

// Only what was kept (on and below the k-th diagonal) gets a gradient.
Variable tril(const Variable& x, int64_t k) {
  return record("tril", tril(x.value(), k), {x}, [k](const Tensor& dy, Grads& d) { d[0] = tril(dy, k); });
}

// Only what was kept (on and above the k-th diagonal) gets a gradient.
Variable triu(const Variable& x, int64_t k) {
  return record("triu", triu(x.value(), k), {x}, [k](const Tensor& dy, Grads& d) { d[0] = triu(dy, k); });
}

}  // namespace vitrail
