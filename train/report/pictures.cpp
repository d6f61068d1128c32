#include "train/report/pictures.h"

#include <algorithm>
#include <cmath>

#include "base/html.h"
#include "data/image/image.h"
#include "tensor/ops.h"

namespace vitrail::report {

namespace {

uint8_t pixel(double value) { return static_cast<uint8_t>(std::lround(std::clamp(value, 0.0, 255.0))); }

// Longer side at most kThumbnailSide, proportions kept.
Tensor reduced(const Tensor& picture) {
  const int64_t H = picture.size(1), W = picture.size(2), longer = std::max(H, W);
  if (longer <= kThumbnailSide) return picture;
  const auto scaled = [&](int64_t side) { return std::max<int64_t>(1, side * kThumbnailSide / longer); };
  const Tensor small = contiguous(resize(to(picture, Dtype::f32), scaled(H), scaled(W), {.antialias = true}));
  Tensor result = zeros(small.shape(), Dtype::u8);
  std::transform(small.data<float>(), small.data<float>() + small.numel(), result.mutable_data<uint8_t>(), pixel);
  return result;
}

}  // namespace

std::string thumbnail(const Tensor& picture, const std::string& alt) {
  check(picture.dim() == 3 && picture.dtype() == Dtype::u8 && (picture.size(0) == 1 || picture.size(0) == 3), ErrorKind::kShape,
        "thumbnail", "needs u8 [1 or 3, H, W]: it is ", name_of(picture.dtype()), " ", picture.shape(), ".");
  const Tensor small = reduced(picture);
  // Small ones are enlarged by the browser, to about the size of the others.
  const int64_t scale = std::max<int64_t>(1, kThumbnailSide / std::max(small.size(1), small.size(2)));
  return cat("<img width=\"", small.size(2) * scale, "\" height=\"", small.size(1) * scale, "\" alt=\"", html_escaped(alt),
             "\" src=\"", png_data_uri(encode_png(small)), "\">");
}

Tensor denormalized(const Tensor& image, const Preprocessing& preprocessing) {
  const int64_t channels = image.size(0), area = image.size(1) * image.size(2);
  check(static_cast<int64_t>(preprocessing.mean.size()) == channels && preprocessing.std.size() == preprocessing.mean.size(),
        ErrorKind::kShape, "denormalized", "mean and std must have one value per channel: image is ", image.shape(),
        ", mean has ", preprocessing.mean.size(), ".");
  const Tensor x = contiguous(image);
  Tensor result = zeros(image.shape(), Dtype::u8);
  for (int64_t c = 0; c < channels; ++c) {
    const float* from = x.data<float>() + c * area;
    std::transform(from, from + area, result.mutable_data<uint8_t>() + c * area, [&](float value) {
      return std::isfinite(value) ? pixel(255 * (static_cast<double>(value) * preprocessing.std[c] + preprocessing.mean[c]))
                                  : uint8_t{0};
    });
  }
  return result;
}

}  // namespace vitrail::report
