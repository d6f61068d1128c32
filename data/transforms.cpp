#include "data/transforms.h"

#include <algorithm>
#include <array>

namespace vitrail {
namespace {

// Each op draws from a stream of its own, so that switching one on or off does not change the others.
enum OpKey : uint64_t { kCropKey = 1, kMirrorKey = 2 };

void check_image(const Tensor& image, const char* op) {
  check(image.defined() && image.dtype() == Dtype::u8 && image.dim() == 3, ErrorKind::kShape, op,
        "needs a u8 image [C, H, W]: it is ", image.defined() ? name_of(image.dtype()) : "undefined", " ", image.shape());
}

}  // namespace

Tensor normalize(const Tensor& image, const std::vector<double>& mean, const std::vector<double>& std, double rescale) {
  check_image(image, "normalize");
  const int64_t channels = image.size(0), plane = image.size(1) * image.size(2);
  check(static_cast<int64_t>(mean.size()) == channels && mean.size() == std.size(), ErrorKind::kShape, "normalize",
        "one mean and one std per channel: there are ", mean.size(), " and ", std.size(), " for image ", image.shape());
  const Tensor pixels = contiguous(image);
  Tensor result = empty(image.shape(), Dtype::f32, "normalize");
  for (int64_t c = 0; c < channels; ++c) {
    std::array<float, 256> table;  // a byte has 256 values: one look-up instead of a division
    // v / 255 and v * (1 / 255) round differently; the world divides.
    const auto value = [&](int v) { return rescale == 1.0 / 255 ? v / 255.0 : v * rescale; };
    for (int v = 0; v < 256; ++v) table[v] = static_cast<float>((value(v) - mean[c]) / std[c]);
    const uint8_t* in = pixels.data<uint8_t>() + c * plane;
    float* out = result.mutable_data<float>() + c * plane;
    for (int64_t i = 0; i < plane; ++i) out[i] = table[in[i]];
  }
  return result;
}

Tensor random_crop(const Tensor& image, int64_t padding, const Rng& rng) {
  check_image(image, "random_crop");
  check(padding >= 0 && padding <= 4096, ErrorKind::kValue, "random_crop", "padding must lie in [0, 4096]: it is ", padding);
  const auto span = static_cast<uint64_t>(2 * padding + 1);
  const int64_t dy = static_cast<int64_t>(rng.below(0, span)) - padding,
                dx = static_cast<int64_t>(rng.below(1, span)) - padding;
  const Tensor source = contiguous(image);
  Tensor result = zeros(image.shape(), Dtype::u8);
  const int64_t channels = image.size(0), height = image.size(1), width = image.size(2);
  // Pixel (y, x) of the result is pixel (y + dy, x + dx) of the image, or padding.
  const int64_t x_begin = std::max<int64_t>(0, -dx), x_end = std::min(width, width - dx);
  const uint8_t* in = source.data<uint8_t>();
  uint8_t* out = result.mutable_data<uint8_t>();
  for (int64_t c = 0; c < channels && x_begin < x_end; ++c) {
    for (int64_t y = std::max<int64_t>(0, -dy); y < std::min(height, height - dy); ++y) {
      const uint8_t* row = in + (c * height + y + dy) * width + dx;
      std::copy(row + x_begin, row + x_end, out + (c * height + y) * width + x_begin);
    }
  }
  return result;
}

Tensor mirror(const Tensor& image) {
  check_image(image, "mirror");
  const Tensor source = contiguous(image);
  Tensor result = empty(image.shape(), Dtype::u8, "mirror");
  const int64_t rows = image.size(0) * image.size(1), width = image.size(2);
  const uint8_t* in = source.data<uint8_t>();
  uint8_t* out = result.mutable_data<uint8_t>();
  for (int64_t r = 0; r < rows; ++r) std::reverse_copy(in + r * width, in + (r + 1) * width, out + r * width);
  return result;
}

Tensor random_mirror(const Tensor& image, const Rng& rng) { return rng.below(0, 2) == 0 ? image : mirror(image); }

Tensor Transform::train(const Tensor& image, const Rng& rng) const {
  Tensor x = image;
  if (augmentation.crop_padding > 0) x = random_crop(x, augmentation.crop_padding, rng.at(kCropKey));
  if (augmentation.mirror) x = random_mirror(x, rng.at(kMirrorKey));
  return preprocess(x, preprocessing);
}

}  // namespace vitrail
