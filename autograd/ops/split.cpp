// A slice for each length. A node has one output, so the parts are nodes of their own.
#include "autograd/ops.h"

namespace vitrail {

std::vector<Variable> split(const Variable& x, const std::vector<int64_t>& lengths, int axis) {
  split(x.value(), lengths, axis);  // checks that the lengths add up
  std::vector<Variable> parts;
  int64_t start = 0;
  for (int64_t length : lengths) {
    parts.push_back(slice(x, axis, start, start + length));
    start += length;
  }
  return parts;
}

}  // namespace vitrail
