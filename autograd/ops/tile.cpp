// x repeated along each axis: its elements sum the gradients of their copies.
#include "autograd/ops.h"
#include "tensor/view.h"

namespace vitrail {

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

}  // namespace vitrail
