// What was left out gets no gradient.
#include "autograd/ops.h"
#include "tensor/view.h"

namespace vitrail {

Variable slice(const Variable& x, int axis, int64_t start, int64_t end, int64_t step) {
  return record("slice", slice(x.value(), axis, start, end, step), {x},
                [from = x.shape(), axis, start, end, step](const Tensor& dy, Grads& d) {
                  d[0] = zeros(from, dy.dtype());
                  copy_(slice(d[0], axis, start, end, step), dy);
                });
}

}  // namespace vitrail
