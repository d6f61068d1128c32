// Windows of one axis: [..., L, ...] -> [..., W, ..., size]. An element that lies in several windows sums their gradients.
#include "autograd/ops.h"
#include "tensor/view.h"

namespace vitrail {

Variable unfold(const Variable& x, int axis, int64_t size, int64_t step) {
  Tensor y = unfold(x.value(), axis, size, step);
  axis = normalize_axis(axis, x.dim(), "unfold");
  return record("unfold", y, {x}, [from = x.shape(), axis, size, step](const Tensor& dy, Grads& d) {
    d[0] = zeros(from, dy.dtype());
    const int64_t windows = dy.size(axis);
    if (windows == 0) return;
    // The j-th elements of all windows are a slice of x with the windows' step: no element twice.
    for (int64_t j = 0; j < size; ++j) add_(slice(d[0], axis, j, j + (windows - 1) * step + 1, step), select(dy, -1, j));
  });
}

}  // namespace vitrail
