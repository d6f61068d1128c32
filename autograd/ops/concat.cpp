// Each part gets its piece of dy back, as a view.
#include "autograd/ops.h"
#include "tensor/view.h"

namespace vitrail {

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

}  // namespace vitrail
