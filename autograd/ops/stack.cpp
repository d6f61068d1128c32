// Each part gets its index of the new axis back, as a view.
#include "autograd/ops.h"
#include "tensor/view.h"

namespace vitrail {

Variable stack(const std::vector<Variable>& parts, int axis) {
  std::vector<Tensor> values;
  for (const Variable& part : parts) values.push_back(part.value());
  return record("stack", stack(values, axis), parts, [axis](const Tensor& dy, Grads& d) {
    for (int i = 0; i < d.size(); ++i) {
      if (d.needs(i)) d[i] = select(dy, axis, i);
    }
  });
}

}  // namespace vitrail
