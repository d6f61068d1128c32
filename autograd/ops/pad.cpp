// Elements added on both sides of each axis. Constant: dy is cropped where x was padded, and padded where x was cropped.
// Reflect and edge: an element that was repeated sums the gradients of its copies.
#include "autograd/ops.h"

namespace vitrail {

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

}  // namespace vitrail
