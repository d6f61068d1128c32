#include "tensor/shape.h"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <ostream>

#include "base/error.h"

namespace vitrail {

Shape::Shape(std::initializer_list<int64_t> values) {
  for (int64_t value : values) push_back(value);
}

Shape::Shape(const std::vector<int64_t>& values) {
  for (int64_t value : values) push_back(value);
}

void Shape::push_back(int64_t value) { insert(size_, value); }

void Shape::insert(int position, int64_t value) {
  check(size_ < kMaxDims, ErrorKind::kShape, "shape", "a tensor has at most ", kMaxDims, " dimensions: one more than ", *this);
  check(position >= 0 && position <= size_, ErrorKind::kShape, "shape", "position ", position, " is outside ", *this);
  std::copy_backward(values_.begin() + position, values_.begin() + size_, values_.begin() + size_ + 1);
  values_[position] = value;
  ++size_;
}

void Shape::erase(int position) {
  check(position >= 0 && position < size_, ErrorKind::kShape, "shape", "position ", position, " is outside ", *this);
  std::copy(values_.begin() + position + 1, values_.begin() + size_, values_.begin() + position);
  --size_;
}

bool operator==(const Shape& a, const Shape& b) { return std::equal(a.begin(), a.end(), b.begin(), b.end()); }

std::ostream& operator<<(std::ostream& out, const Shape& shape) {
  out << '[';
  for (int i = 0; i < shape.size(); ++i) out << (i ? ", " : "") << shape[i];
  return out << ']';
}

std::string to_string(const Shape& shape) { return cat(shape); }

int64_t checked_numel(const Shape& shape, const char* op) {
  constexpr int64_t kMaxNumel = int64_t{1} << 62;
  bool overflow = false;
  bool zero = false;
  int64_t numel = 1;
  for (int64_t extent : shape) {
    check(extent >= 0, ErrorKind::kShape, op, "extents must not be negative: shape is ", shape);
    zero = zero || extent == 0;
    overflow = overflow || __builtin_mul_overflow(numel, extent == 0 ? 1 : extent, &numel) || numel > kMaxNumel;
  }
  // Also refused if one extent is zero, so that a product of the other extents cannot overflow elsewhere.
  check(!overflow, ErrorKind::kShape, op, "too many elements: the product of ", shape, " is above 2^62");
  return zero ? 0 : numel;
}

int64_t checked_bytes(const Shape& shape, int64_t element_size, const char* op) {
  int64_t bytes = 0;
  const bool overflow = __builtin_mul_overflow(checked_numel(shape, op), element_size, &bytes);
  check(!overflow && bytes <= std::numeric_limits<std::ptrdiff_t>::max(), ErrorKind::kShape, op, "too many bytes: shape ",
        shape, " with ", element_size, " bytes per element");
  return bytes;
}

Shape contiguous_strides(const Shape& shape) {
  // LAB 1.1 BEGIN  Row-major: the last axis has stride 1, each axis before it jumps over all that follow.
  Shape strides = shape;
  int64_t stride = 1;
  for (int i = shape.size() - 1; i >= 0; --i) {
    strides[i] = stride;
    stride *= std::max<int64_t>(shape[i], 1);  // the product was checked when the shape was made
  }
  return strides;
  // LAB 1.1 END
}

int normalize_axis(int axis, int rank, const char* op) {
  const int range = std::max(rank, 1);
  check(axis >= -range && axis < range, ErrorKind::kShape, op, "axis out of range: axis is ", axis, ", rank is ", rank,
        ". Hint: axes go from ", -range, " to ", range - 1, ".");
  return axis < 0 ? axis + range : axis;
}

std::vector<int> normalize_axes(const std::vector<int>& axes, int rank, const char* op) {
  std::vector<int> result;
  if (axes.empty()) {
    for (int i = 0; i < rank; ++i) result.push_back(i);
    return result;
  }
  for (int axis : axes) result.push_back(normalize_axis(axis, rank, op));
  std::sort(result.begin(), result.end());
  const auto twice = std::adjacent_find(result.begin(), result.end());
  if (twice != result.end()) fail(ErrorKind::kShape, op, "axis ", *twice, " is named twice");
  if (rank == 0) result.clear();
  return result;
}

Shape reduced_shape(const Shape& shape, const std::vector<int>& axes, bool keepdim) {
  Shape result;
  for (int i = 0; i < shape.size(); ++i) {
    if (std::find(axes.begin(), axes.end(), i) == axes.end()) {
      result.push_back(shape[i]);
    } else if (keepdim) {
      result.push_back(1);
    }
  }
  return result;
}

Shape broadcast_shapes(const Shape& a, const Shape& b, const char* op) {
  // LAB 1.4 BEGIN  Align from the right; extents must match or be one, else fail(ErrorKind::kShape, op, ...) naming both shapes.
  const Shape& longer = a.size() >= b.size() ? a : b;
  const Shape& shorter = a.size() >= b.size() ? b : a;
  Shape result = longer;
  const int lead = longer.size() - shorter.size();
  for (int i = 0; i < shorter.size(); ++i) {
    const int64_t m = longer[lead + i], n = shorter[i];
    if (m != n && m != 1 && n != 1) {
      fail(ErrorKind::kShape, op, "shapes do not broadcast: a is ", a, ", b is ", b, " (", m, " vs ", n,
           "). Hint: aligned from the right, extents must match or be one.");
    }
    result[lead + i] = m == 1 ? n : m;
  }
  return result;
  // LAB 1.4 END
}

}  // namespace vitrail
