// x passes dy on; src picks it up where it was added.
#include "autograd/ops.h"

namespace vitrail {

Variable scatter_add(const Variable& x, int axis, const Tensor& index, const Variable& src) {
  return record("scatter_add", scatter_add(x.value(), axis, index, src.value()), {x, src},
                [axis, at = Saved(index)](const Tensor& dy, Grads& d) {
                  d[0] = dy;
                  if (d.needs(1)) d[1] = gather(dy, axis, *at);
                });
}

}  // namespace vitrail
