#include "data/transforms.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "data/augment/pixel_ops.h"
#include "data/augment/random_ops.h"
#include "tensor/view.h"

namespace vitrail {
namespace {

// Each op draws from a stream of its own, so that switching one on or off does not change the others.
enum OpKey : uint64_t {
  kCropKey = 1,
  kMirrorKey,
  kResizedCropKey,
  kVerticalKey,
  kRotateKey,
  kPolicyKey,
  kJitterKey,
  kGrayscaleKey,
  kBlurKey,
  kEraseKey
};

void check_image(const Tensor& image, const char* op) {
  check(image.defined() && image.dtype() == Dtype::u8 && image.dim() == 3, ErrorKind::kShape, op,
        "needs a u8 image [C, H, W]: it is ", image.defined() ? name_of(image.dtype()) : "undefined", " ", image.shape());
}

struct Shift {
  int64_t dy, dx;
};

Shift draw_shift(int64_t padding, const Rng& rng) {
  // LAB 9.1 BEGIN  Down and across, each uniform in [-padding, padding], from rng.below(0, n) and rng.below(1, n).
  const auto span = static_cast<uint64_t>(2 * padding + 1);
  return {static_cast<int64_t>(rng.below(0, span)) - padding, static_cast<int64_t>(rng.below(1, span)) - padding};
  // LAB 9.1 END
}

bool half_of_the_cases(const Rng& rng) { return rng.below(0, 2) == 1; }

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
  const auto [dy, dx] = draw_shift(padding, rng);
  const Tensor source = contiguous(image);
  Tensor result = zeros(image.shape(), Dtype::u8);
  const int64_t channels = image.size(0), height = image.size(1), width = image.size(2);
  // LAB 9.1 BEGIN  Pixel (y, x) of the result is pixel (y + dy, x + dx) of the source, or 0, in every channel.
  const int64_t x_begin = std::max<int64_t>(0, -dx), x_end = std::min(width, width - dx);
  const uint8_t* in = source.data<uint8_t>();
  uint8_t* out = result.mutable_data<uint8_t>();
  for (int64_t c = 0; c < channels && x_begin < x_end; ++c) {
    for (int64_t y = std::max<int64_t>(0, -dy); y < std::min(height, height - dy); ++y) {
      const uint8_t* row = in + (c * height + y + dy) * width + dx;
      std::copy(row + x_begin, row + x_end, out + (c * height + y) * width + x_begin);
    }
  }
  // LAB 9.1 END
  return result;
}

Tensor mirror(const Tensor& image) {
  check_image(image, "mirror");
  const Tensor source = contiguous(image);
  Tensor result = empty(image.shape(), Dtype::u8, "mirror");
  const int64_t rows = image.size(0) * image.size(1), width = image.size(2);
  const uint8_t* in = source.data<uint8_t>();
  uint8_t* out = result.mutable_data<uint8_t>();
  // LAB 9.1 BEGIN  Every row of every channel from right to left.
  for (int64_t r = 0; r < rows; ++r) std::reverse_copy(in + r * width, in + (r + 1) * width, out + r * width);
  // LAB 9.1 END
  return result;
}

Tensor random_mirror(const Tensor& image, const Rng& rng) { return half_of_the_cases(rng) ? mirror(image) : image; }

namespace {

// How pixels between pixels are computed, and the mean colour for those from outside.
augment::WarpStyle style_of(const Preprocessing& p) {
  augment::WarpStyle style;
  if (p.interpolation == Resample::kNearest) style.filter = augment::Filter::kNearest;
  if (p.interpolation == Resample::kBicubic || p.interpolation == Resample::kLanczos) style.filter = augment::Filter::kBicubic;
  for (const double m : p.mean)
    style.fill.push_back(static_cast<uint8_t>(std::clamp(std::nearbyint(m / p.rescale), 0.0, 255.0)));
  return style;
}

// The whole picture at the model's size, or a random part of it.
augment::View fitted_view(const Tensor& image, const Preprocessing& p, double crop_scale, const Rng& rng) {
  const int64_t height = image.size(1), width = image.size(2);
  if (crop_scale > 0) {
    const augment::Rectangle r = augment::draw_resized_crop(height, width, crop_scale, rng);
    const Tensor part = slice(slice(image, 1, r.top, r.top + r.height), 2, r.left, r.left + r.width);
    return {resample(contiguous(convert_channels(part, p.channels)), p.height, p.width, p.interpolation, p.pass_order),
            augment::crop_and_resize(static_cast<double>(r.top), static_cast<double>(r.left), static_cast<double>(r.height),
                                     static_cast<double>(r.width), p.height, p.width)};
  }
  const PictureGeometry g = picture_geometry(p, height, width);
  const double y = static_cast<double>(height) / static_cast<double>(g.height),
               x = static_cast<double>(width) / static_cast<double>(g.width);
  return {fit(image, p),
          augment::crop_and_resize(static_cast<double>(g.top) * y, static_cast<double>(g.left) * x,
                                   static_cast<double>(p.height) * y, static_cast<double>(p.width) * x, p.height, p.width)};
}

// Those that move no pixels.
Tensor recoloured(Tensor x, const Augmentation& a, const Rng& rng) {
  if (a.jitter > 0 || a.hue > 0) x = augment::color_jitter(x, a.jitter, a.hue, rng.at(kJitterKey));
  if (a.grayscale > 0 && rng.at(kGrayscaleKey).uniform(0) < a.grayscale) x = augment::grayscale(x);
  const Rng blur = rng.at(kBlurKey);
  if (a.blur > 0 && blur.uniform(0) < a.blur) x = augment::gaussian_blur(x, 0.1 + 1.9 * blur.uniform(1));
  return x;
}

}  // namespace

Augmented Transform::augmented(const Tensor& image, const Rng& rng) const {
  const Augmentation& a = augmentation;
  const Preprocessing& p = preprocessing;
  check_image(image, "augment");
  augment::View view = fitted_view(image, p, a.crop_scale, rng.at(kResizedCropKey));
  const auto next = [&](Tensor x, const augment::Geometry& geometry) {
    view = {std::move(x), augment::compose(view.geometry, geometry)};
  };
  if (a.crop_padding > 0 && a.crop_scale == 0) {
    const Shift shift = draw_shift(a.crop_padding, rng.at(kCropKey));
    next(random_crop(view.image, a.crop_padding, rng.at(kCropKey)),
         augment::translation(static_cast<double>(shift.dx), static_cast<double>(shift.dy), p.height, p.width));
  }
  if (a.mirror && half_of_the_cases(rng.at(kMirrorKey))) next(mirror(view.image), augment::flip_horizontal(p.height, p.width));
  if (a.flip_vertical && half_of_the_cases(rng.at(kVerticalKey))) {
    const augment::Geometry flip = augment::flip_vertical(p.height, p.width);
    next(augment::warp(view.image, flip, augment::Filter::kNearest), flip);
  }
  const augment::WarpStyle style = style_of(p);
  if (a.rotate > 0) {
    const augment::Geometry turn = augment::rotation(a.rotate * (2 * rng.at(kRotateKey).uniform(0) - 1), p.height, p.width);
    next(augment::warp(view.image, turn, style.filter), turn);
  }
  if (a.policy != augment::Policy::kNone) {
    augment::View changed = augment::apply_policy(a.policy, a.rand_augment, view.image, style, rng.at(kPolicyKey));
    next(std::move(changed.image), changed.geometry);
  }
  Tensor x = finish(recoloured(view.image, a, rng), p);
  if (a.erase > 0) augment::random_erasing(x, a.erase, rng.at(kEraseKey));
  return {std::move(x), view.geometry};
}

}  // namespace vitrail
