// How the plain loops read and write a tensor: by indices, for any strides.
//
//   const auto x = read<float>(a);   x(i, j)  row i, column j
//   const auto y = write<float>(b);  y[i] = 1  element i in row-major order: element j of row r is y[r * n + j]
#pragma once

#include <vector>

#include "tensor/tensor.h"

namespace vitrail::reference {

template <class T>
class Elements {
 public:
  Elements(T* data, const Shape& shape, const Shape& strides) : data_(data), shape_(shape), strides_(strides) {}

  // One index for each axis.
  template <class... Index>
  T& operator()(Index... index) const {
    int64_t place = 0;
    int axis = 0;
    ((place += index * strides_[axis++]), ...);
    return data_[place];
  }

  // Element i in row-major order: the last axis varies fastest.
  T& operator[](int64_t i) const {
    int64_t place = 0;
    for (int axis = shape_.size() - 1; axis >= 0; --axis) {
      place += i % shape_[axis] * strides_[axis];
      i /= shape_[axis];
    }
    return data_[place];
  }

 private:
  T* data_;
  Shape shape_, strides_;
};

template <class T>
Elements<const T> read(const Tensor& x) {
  return {x.data<T>(), x.shape(), x.strides()};
}

template <class T>
Elements<T> write(Tensor x) {
  return {x.mutable_data<T>(), x.shape(), x.strides()};
}

// A row of numbers that is computed on the way; zeros at first.
class Row {
 public:
  explicit Row(int64_t n) : numbers_(static_cast<size_t>(n)) {}
  double& operator[](int64_t i) { return numbers_[static_cast<size_t>(i)]; }
  double operator[](int64_t i) const { return numbers_[static_cast<size_t>(i)]; }

 private:
  std::vector<double> numbers_;
};

// The number of rows of x, where a row is a range along the last axis. A scalar is one row of one element; rows without
// elements are not counted.
inline int64_t row_count(const Tensor& x) { return x.dim() == 0 ? 1 : x.numel() / (x.size(-1) > 0 ? x.size(-1) : 1); }

}  // namespace vitrail::reference
