#include "models/weights/formats/strided.h"

#include <array>
#include <cstring>

namespace vitrail {
namespace {

// Steps through all indices of a shape in row-major order.
class Odometer {
 public:
  Odometer(const Shape& shape, const Shape& strides, int64_t element) : shape_(shape), strides_(strides) {
    for (int axis = shape.size() - 1; axis >= 0; --axis) {
      index_[static_cast<size_t>(axis)] = element % shape[axis];
      place_ += index_[static_cast<size_t>(axis)] * strides[axis];
      element /= shape[axis];
    }
  }
  int64_t place() const { return place_; }
  void step() {
    for (int axis = shape_.size() - 1; axis >= 0; --axis) {
      int64_t& i = index_[static_cast<size_t>(axis)];
      place_ += strides_[axis];
      if (++i < shape_[axis]) return;
      place_ -= i * strides_[axis];
      i = 0;
    }
  }

 private:
  const Shape& shape_;
  const Shape& strides_;
  std::array<int64_t, kMaxDims> index_{};
  int64_t place_ = 0;
};

template <int kBytes>
void copy_elements(const uint8_t* data, Odometer place, uint8_t* to, int64_t count) {
  for (int64_t i = 0; i < count; ++i, place.step()) std::memcpy(to + i * kBytes, data + place.place() * kBytes, kBytes);
}

}  // namespace

FetchElements fetch_strided(const uint8_t* data, int64_t element_bytes, const Shape& shape, const Shape& strides) {
  return [=](int64_t first, void* to, int64_t count) {
    const Odometer place(shape, strides, first);
    auto* bytes = static_cast<uint8_t*>(to);
    switch (element_bytes) {
      case 1: return copy_elements<1>(data, place, bytes, count);
      case 2: return copy_elements<2>(data, place, bytes, count);
      case 4: return copy_elements<4>(data, place, bytes, count);
      default: return copy_elements<8>(data, place, bytes, count);
    }
  };
}

}  // namespace vitrail
