#include "tensor/kernels/axis_blocks.h"

namespace vitrail {

AxisBlocks axis_blocks(const Shape& shape, int axis, const char* op) {
  Shape before, behind;
  for (int i = 0; i < shape.size(); ++i) {
    if (i < axis) before.push_back(shape[i]);
    if (i > axis) behind.push_back(shape[i]);
  }
  return {checked_numel(before, op), shape.empty() ? 1 : shape[axis], checked_numel(behind, op)};
}

Shape replace_axis(const Shape& shape, int axis, const Shape& replacement) {
  Shape result = replacement;
  for (int i = 0; i < axis; ++i) result.insert(i, shape[i]);
  for (int i = axis + 1; i < shape.size(); ++i) result.push_back(shape[i]);
  return result;
}

std::vector<int64_t> resolve_indices(const Tensor& index, int64_t extent, bool from_end, const char* op) {
  check(index.defined() && index.dtype() == Dtype::i64, ErrorKind::kValue, op, "indices must be i64: index is ",
        index.defined() ? name_of(index.dtype()) : "undefined", ". Hint: convert with to(index, Dtype::i64).");
  std::vector<int64_t> result = to_vector<int64_t>(index);
  const int64_t lowest = from_end ? -extent : 0;
  for (int64_t& i : result) {
    check(i >= lowest && i < extent, ErrorKind::kValue, op, "index out of range: ", i, " is not in [", lowest, ", ", extent,
          ") (extent ", extent, ", index is ", index.shape(), ")");
    if (i < 0) i += extent;
  }
  return result;
}

}  // namespace vitrail
