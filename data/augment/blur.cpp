// Gaussian blur as three box blurs. Compiled without fused multiply-add, as pixel_ops.cpp.
#include <algorithm>
#include <cmath>
#include <vector>

#include "data/augment/pixel_ops.h"

namespace vitrail::augment {
namespace {

constexpr int kPasses = 3;

// A box of 2 r + 1 pixels of weight `whole` each, and one more on either side of weight `edge`, in units of 2^-24.
struct Box {
  int64_t radius;
  uint32_t whole, edge;
};

Box box_of(double sigma) {
  const auto deviation = static_cast<float>(sigma);
  const float variance = deviation * deviation / kPasses;
  const auto length = static_cast<float>(std::sqrt(12.0 * variance + 1.0));
  const auto l = static_cast<float>(std::floor((length - 1.0) / 2.0));
  float a = (2 * l + 1) * (l * (l + 1) - 3 * variance);
  a /= 6 * (variance - (l + 1) * (l + 1));
  const float radius = l + a;
  Box box{static_cast<int64_t>(radius), 0, 0};
  box.whole = static_cast<uint32_t>(static_cast<float>(1 << 24) / (radius * 2 + 1));
  box.edge = ((1 << 24) - static_cast<uint32_t>(box.radius * 2 + 1) * box.whole) / 2;
  return box;
}

// out[i] for one line of n pixels.
void blur_line(const uint8_t* in, uint8_t* out, int64_t n, const Box& box) {
  const auto at = [&](int64_t i) { return static_cast<uint32_t>(in[std::clamp<int64_t>(i, 0, n - 1)]); };
  uint32_t sum = 0;
  for (int64_t i = -box.radius - 1; i < box.radius; ++i) sum += at(i);  // the box of pixel -1
  for (int64_t i = 0; i < n; ++i) {
    sum += at(i + box.radius) - at(i - box.radius - 1);
    const uint32_t value = sum * box.whole + (at(i - box.radius - 1) + at(i + box.radius + 1)) * box.edge;
    out[i] = static_cast<uint8_t>((value + (1u << 23)) >> 24);
  }
}

// The lines of a plane blurred kPasses times; step: from pixel to pixel, stride: from line to line.
void blur_axis(uint8_t* plane, int64_t lines, int64_t stride, int64_t n, int64_t step, const Box& box) {
  std::vector<uint8_t> line(static_cast<size_t>(n)), other(line.size());
  for (int64_t l = 0; l < lines; ++l) {
    uint8_t* first = plane + l * stride;
    for (int64_t i = 0; i < n; ++i) line[static_cast<size_t>(i)] = first[i * step];
    for (int pass = 0; pass < kPasses; ++pass, line.swap(other)) blur_line(line.data(), other.data(), n, box);
    for (int64_t i = 0; i < n; ++i) first[i * step] = line[static_cast<size_t>(i)];
  }
}

}  // namespace

Tensor gaussian_blur(const Tensor& image, double sigma) {
  check(image.defined() && image.dtype() == Dtype::u8 && image.dim() == 3, ErrorKind::kShape, "gaussian_blur",
        "needs a u8 image [C, H, W]: it is ", image.defined() ? name_of(image.dtype()) : "undefined", " ", image.shape());
  check(sigma >= 0 && sigma <= 1000, ErrorKind::kValue, "gaussian_blur", "sigma must lie in [0, 1000]: it is ", sigma);
  if (sigma == 0 || image.numel() == 0) return image;
  Tensor result = clone(contiguous(image));
  const int64_t height = image.size(1), width = image.size(2);
  const Box box = box_of(sigma);
  for (int64_t c = 0; c < image.size(0); ++c) {
    uint8_t* plane = result.mutable_data<uint8_t>() + c * height * width;
    blur_axis(plane, height, width, width, 1, box);
    blur_axis(plane, width, 1, height, width, box);
  }
  return result;
}

}  // namespace vitrail::augment
