// Shapes: the extents of a tensor's axes, and the few rules by which they combine.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <iosfwd>
#include <string>
#include <vector>

namespace vitrail {

constexpr int kMaxDims = 8;

// Up to kMaxDims int64 values, stored in place. Used for extents (a shape) and for strides in elements.
// Rank 0 is a scalar; extents of 0 are legal. More than kMaxDims values throw Error(kShape).
class Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<int64_t> values);
  explicit Shape(const std::vector<int64_t>& values);

  int size() const { return size_; }  // the rank
  bool empty() const { return size_ == 0; }
  int64_t& operator[](int i) { return values_[i]; }
  int64_t operator[](int i) const { return values_[i]; }
  int64_t* begin() { return values_.data(); }
  int64_t* end() { return values_.data() + size_; }
  const int64_t* begin() const { return values_.data(); }
  const int64_t* end() const { return values_.data() + size_; }
  int64_t& back() { return values_[size_ - 1]; }
  int64_t back() const { return values_[size_ - 1]; }

  void push_back(int64_t value);
  void insert(int position, int64_t value);
  void erase(int position);

  friend bool operator==(const Shape& a, const Shape& b);
  friend bool operator!=(const Shape& a, const Shape& b) { return !(a == b); }

 private:
  std::array<int64_t, kMaxDims> values_{};
  int size_ = 0;
};

// "[8, 65, 192]"
std::string to_string(const Shape& shape);
std::ostream& operator<<(std::ostream& out, const Shape& shape);

// Product of the extents, 1 for rank 0. THE function that multiplies dimensions: every extent must be >= 0 and the
// product at most 2^62, else Error(kShape) that names op. Nothing else in the project multiplies extents unchecked.
int64_t checked_numel(const Shape& shape, const char* op = "shape");

// checked_numel * element_size, at most PTRDIFF_MAX, else Error(kShape).
int64_t checked_bytes(const Shape& shape, int64_t element_size, const char* op = "shape");

// Row-major strides in elements: the last axis has stride 1.
Shape contiguous_strides(const Shape& shape);

// Maps axis in [-rank, rank) to [0, rank); else Error(kShape) that names op. For rank 0 the axes 0 and -1 are accepted.
int normalize_axis(int axis, int rank, const char* op);

// Sorted, de-duplicated check of a list of axes; empty means all axes. A repeated axis throws Error(kShape).
std::vector<int> normalize_axes(const std::vector<int>& axes, int rank, const char* op);

// The shape after reducing `axes` (normalised): extents removed, or kept as 1 with keepdim.
Shape reduced_shape(const Shape& shape, const std::vector<int>& axes, bool keepdim);

// NumPy broadcasting: align from the right; extents must match or be one. Throws Error(kShape) with both shapes.
Shape broadcast_shapes(const Shape& a, const Shape& b, const char* op);

}  // namespace vitrail
