#include "data/augment/random_ops.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "data/augment/pixel_ops.h"

namespace vitrail::augment {
namespace {

constexpr int kTries = 10;

double uniform(const Rng& rng, uint64_t index, double low, double high) { return low + (high - low) * rng.uniform(index); }
int64_t rounded(double x) { return std::llround(std::nearbyint(x)); }  // half to even

// Where a rectangle of this size lies.
int64_t start(const Rng& rng, uint64_t index, int64_t whole, int64_t part) {
  return static_cast<int64_t>(rng.below(index, static_cast<uint64_t>(whole - part + 1)));
}

}  // namespace

Rectangle draw_resized_crop(int64_t height, int64_t width, double scale, const Rng& rng) {
  check(scale > 0 && scale <= 1, ErrorKind::kValue, "random_resized_crop", "scale must be in (0, 1]: it is ", scale);
  check(height >= 1 && width >= 1, ErrorKind::kShape, "random_resized_crop", "the image is empty: it is ", height, " x ",
        width);
  constexpr double kNarrow = 3.0 / 4, kWide = 4.0 / 3;
  const double area = static_cast<double>(height) * static_cast<double>(width);
  for (int attempt = 0; attempt < kTries; ++attempt) {
    const Rng own = rng.at(static_cast<uint64_t>(attempt));
    const double part = uniform(own, 0, scale, 1) * area, ratio = std::exp(uniform(own, 1, std::log(kNarrow), std::log(kWide)));
    const int64_t w = rounded(std::sqrt(part * ratio)), h = rounded(std::sqrt(part / ratio));
    if (w >= 1 && h >= 1 && w <= width && h <= height) return {start(own, 2, height, h), start(own, 3, width, w), h, w};
  }
  const double ratio = static_cast<double>(width) / static_cast<double>(height);
  Rectangle middle{0, 0, height, width};
  if (ratio < kNarrow) middle.height = std::clamp<int64_t>(rounded(static_cast<double>(width) / kNarrow), 1, height);
  if (ratio > kWide) middle.width = std::clamp<int64_t>(rounded(static_cast<double>(height) * kWide), 1, width);
  middle.top = (height - middle.height) / 2;
  middle.left = (width - middle.width) / 2;
  return middle;
}

Tensor color_jitter(const Tensor& image, double strength, double hue, const Rng& rng) {
  check(std::isfinite(strength) && strength >= 0, ErrorKind::kValue, "color_jitter", "the strength must be at least 0: it is ",
        strength);
  check(hue >= 0 && hue <= 0.5, ErrorKind::kValue, "color_jitter", "hue must be in [0, 0.5]: it is ", hue);
  std::array<int, 4> order{0, 1, 2, 3};
  for (uint64_t i = 3; i > 0; --i) std::swap(order[i], order[rng.below(i, i + 1)]);
  const auto factor = [&](uint64_t index) { return uniform(rng, index, std::max(0.0, 1 - strength), 1 + strength); };
  Tensor x = image;
  for (const int op : order) {
    if (op == 3 && hue > 0) x = adjust_hue(x, uniform(rng, 13, -hue, hue));
    if (op == 3 || strength == 0) continue;
    x = op == 0   ? adjust_brightness(x, factor(10))
        : op == 1 ? adjust_contrast(x, factor(11))
                  : adjust_saturation(x, factor(12));
  }
  return x;
}

Rectangle random_erasing(Tensor& image, double probability, const Rng& rng) {
  check(image.dtype() == Dtype::f32 && image.dim() == 3 && image.is_contiguous(), ErrorKind::kShape, "random_erasing",
        "needs a contiguous f32 image [C, H, W]: it is ", name_of(image.dtype()), " ", image.shape());
  check(probability >= 0 && probability <= 1, ErrorKind::kValue, "random_erasing", "the probability must be in [0, 1]: it is ",
        probability);
  if (rng.uniform(0) >= probability) return {};
  const int64_t channels = image.size(0), height = image.size(1), width = image.size(2);
  const double area = static_cast<double>(height) * static_cast<double>(width), most = std::log(1 / 0.3);
  for (uint64_t attempt = 1; attempt <= kTries; ++attempt) {
    const Rng own = rng.at(attempt);
    const double part = uniform(own, 0, 0.02, 1.0 / 3) * area, ratio = std::exp(uniform(own, 1, -most, most));
    const int64_t h = rounded(std::sqrt(part * ratio)), w = rounded(std::sqrt(part / ratio));
    if (h >= height || w >= width) continue;
    const Rectangle r{start(own, 2, height, h), start(own, 3, width, w), h, w};
    const Rng noise = own.at(4);
    float* pixels = image.mutable_data<float>();
    uint64_t index = 0;
    for (int64_t c = 0; c < channels; ++c)
      for (int64_t y = r.top; y < r.top + h; ++y)
        for (int64_t x = r.left; x < r.left + w; ++x)
          pixels[(c * height + y) * width + x] = static_cast<float>(noise.normal(index++));
    return r;
  }
  return {};
}

}  // namespace vitrail::augment
