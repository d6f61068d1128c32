// Reversing axes is its own inverse.
#include "autograd/ops.h"

namespace vitrail {

Variable flip(const Variable& x, const std::vector<int>& axes) {
  return record("flip", flip(x.value(), axes), {x}, [axes](const Tensor& dy, Grads& d) { d[0] = flip(dy, axes); });
}

}  // namespace vitrail
