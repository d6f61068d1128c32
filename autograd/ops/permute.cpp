// The gradient goes through the inverse permutation.
#include "autograd/ops.h"
#include "tensor/view.h"

namespace vitrail {

Variable permute(const Variable& x, const std::vector<int>& axes) {
  Tensor y = permute(x.value(), axes);  // checks axes
  std::vector<int> inverse(axes.size());
  for (size_t i = 0; i < axes.size(); ++i) inverse[normalize_axis(axes[i], x.dim(), "permute")] = static_cast<int>(i);
  return record("permute", y, {x}, [inverse](const Tensor& dy, Grads& d) { d[0] = permute(dy, inverse); });
}

}  // namespace vitrail
