// split into nearly equal parts.
#include "autograd/ops.h"

namespace vitrail {

std::vector<Variable> chunk(const Variable& x, int64_t count, int axis) {
  std::vector<int64_t> lengths;
  for (const Tensor& part : chunk(x.value(), count, axis)) lengths.push_back(part.size(axis));
  return split(x, lengths, axis);
}

}  // namespace vitrail
