// Joining, splitting, repeating, reversing and rotating tensors, and cutting them along a diagonal.
#include "autograd/ops/shape.h"
#include "tensor/ops.h"
#include "tensor/view.h"

namespace vitrail {

// y = the parts one after another along an axis; the gradient of each part is its slice of dy, a view
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

// y = the parts along a new axis; the gradient of part i is index i of dy, a view
Variable stack(const std::vector<Variable>& parts, int axis) {
  std::vector<Tensor> values;
  for (const Variable& part : parts) values.push_back(part.value());
  return record("stack", stack(values, axis), parts, [axis](const Tensor& dy, Grads& d) {
    for (int i = 0; i < d.size(); ++i) {
      if (d.needs(i)) d[i] = select(dy, axis, i);
    }
  });
}

// Parts of the given lengths along an axis. A node has one output, so each part is a slice of its own.
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

// split into `count` nearly equal parts
std::vector<Variable> chunk(const Variable& x, int64_t count, int axis) {
  std::vector<int64_t> lengths;
  for (const Tensor& part : chunk(x.value(), count, axis)) lengths.push_back(part.size(axis));
  return split(x, lengths, axis);
}

// y = x repeated along each axis; dx = the sum of dy over the copies
Variable tile(const Variable& x, const std::vector<int64_t>& repeats) {
  return record("tile", tile(x.value(), repeats), {x}, [from = x.shape(), repeats](const Tensor& dy, Grads& d) {
    // One axis after another: all at once would need twice as many axes, more than a tensor can have.
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

// y = x reversed along the axes; dx = dy reversed along them
Variable flip(const Variable& x, const std::vector<int>& axes) {
  return record("flip", flip(x.value(), axes), {x}, [axes](const Tensor& dy, Grads& d) { d[0] = flip(dy, axes); });
}

// y_i = x_{i - shift}, dx_i = dy_{i + shift}; indices are modulo the extent
Variable roll(const Variable& x, int64_t shift, int axis) {
  return record("roll", roll(x.value(), shift, axis), {x},
                [shift, axis](const Tensor& dy, Grads& d) { d[0] = roll(dy, -shift, axis); });
}

// y = x on and below the k-th diagonal, else 0; dx = dy there, else 0
Variable tril(const Variable& x, int64_t k) {
  return record("tril", tril(x.value(), k), {x}, [k](const Tensor& dy, Grads& d) { d[0] = tril(dy, k); });
}

// y = x on and above the k-th diagonal, else 0; dx = dy there, else 0
Variable triu(const Variable& x, int64_t k) {
  return record("triu", triu(x.value(), k), {x}, [k](const Tensor& dy, Grads& d) { d[0] = triu(dy, k); });
}

}  // namespace vitrail
