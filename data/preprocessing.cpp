#include "data/preprocessing.h"

#include <algorithm>
#include <cmath>

#include "base/file.h"
#include "base/json.h"
#include "base/json_writer.h"
#include "data/image/image.h"
#include "data/transforms.h"
#include "tensor/view.h"

namespace vitrail {
namespace {

template <class Enum>
struct Name {
  Enum value;
  const char* text;
};
constexpr Name<ResizeMode> kResizeNames[] = {{ResizeMode::kSquash, "squash"}, {ResizeMode::kCrop, "crop"}};
constexpr Name<Interpolation> kInterpolationNames[] = {
    {Interpolation::kNearest, "nearest"}, {Interpolation::kBilinear, "bilinear"}, {Interpolation::kBicubic, "bicubic"}};

template <class Enum, size_t N>
std::string text_of(const Name<Enum> (&names)[N], Enum value) {
  for (const auto& n : names) {
    if (n.value == value) return n.text;
  }
  fail(ErrorKind::kValue, "preprocessing", "unknown option ", static_cast<int>(value));
}

// Missing: `otherwise`.
template <class Enum, size_t N>
Enum value_of(const Name<Enum> (&names)[N], const char* key, JsonObject& object, Enum otherwise) {
  if (!object.has(key)) return otherwise;
  const std::string text = object.text(key);
  std::string known;
  for (const auto& n : names) {
    if (text == n.text) return n.value;
    known += cat(known.empty() ? "" : ", ", n.text);
  }
  object.refuse(key, cat("must be one of ", known, ": it is ", escaped(text)));
}

// f32 [C, H, W] of bytes resized as PIL does: with a filter widened by the down-scaling factor.
Tensor resized(const Tensor& x, int64_t height, int64_t width, Interpolation mode) {
  if (x.size(1) == height && x.size(2) == width) return x;
  return resize(x, height, width, {.mode = mode, .align_corners = false, .antialias = mode != Interpolation::kNearest});
}

Tensor fitted(const Tensor& x, const Preprocessing& p) {
  if (p.resize == ResizeMode::kSquash) return resized(x, p.height, p.width, p.interpolation);
  const double h = static_cast<double>(x.size(1)), w = static_cast<double>(x.size(2));
  const double scale = std::max(std::floor(p.height / p.crop_fraction) / h, std::floor(p.width / p.crop_fraction) / w);
  // The factor was made so that one side comes out exact; the small addition keeps rounding from losing a pixel of it.
  const auto side = [&](double from, int64_t least) { return std::max(least, static_cast<int64_t>(from * scale + 1e-6)); };
  const int64_t new_h = side(h, p.height), new_w = side(w, p.width);
  check(new_h <= 65536 && new_w <= 65536, ErrorKind::kValue, "preprocess", "image ", x.shape(),
        " is too elongated to be cropped: resized it would be ", new_h, " x ", new_w);
  const Tensor y = resized(x, new_h, new_w, p.interpolation);
  // torchvision's centre: half of the rest, rounded half to even.
  const auto top = static_cast<int64_t>(std::nearbyint((new_h - p.height) / 2.0));
  const auto left = static_cast<int64_t>(std::nearbyint((new_w - p.width) / 2.0));
  return slice(slice(y, 1, top, top + p.height), 2, left, left + p.width);
}

}  // namespace

void Preprocessing::validate() const {
  const auto in_range = [](const char* key, bool rule, const char* range, double value) {
    check(rule, ErrorKind::kValue, "preprocessing", key, " must be ", range, ": it is ", value);
  };
  in_range("height", height >= 1 && height <= 65536, "in [1, 65536]", static_cast<double>(height));
  in_range("width", width >= 1 && width <= 65536, "in [1, 65536]", static_cast<double>(width));
  in_range("channels", channels == 1 || channels == 3, "1 or 3", static_cast<double>(channels));
  in_range("crop_fraction", crop_fraction > 0 && crop_fraction <= 1, "in (0, 1]", crop_fraction);
  check(static_cast<int64_t>(mean.size()) == channels && mean.size() == std.size(), ErrorKind::kValue, "preprocessing",
        "mean and std must have one value per channel: they have ", mean.size(), " and ", std.size(), " for ", channels);
  for (double m : mean) in_range("mean", std::isfinite(m), "finite", m);
  for (double s : std) in_range("std", std::isfinite(s) && s > 0, "positive", s);
}

std::string preprocessing_to_json(const Preprocessing& p) {
  JsonWriter json(2);
  json.begin_object().field("height", p.height).field("width", p.width).field("channels", p.channels);
  json.field("mean", p.mean).field("std", p.std).field("resize", text_of(kResizeNames, p.resize));
  json.field("crop_fraction", p.crop_fraction).field("interpolation", text_of(kInterpolationNames, p.interpolation));
  return json.end_object().text();
}

Preprocessing preprocessing_from_json(const std::string& json) {
  constexpr double kMost = 1e300;
  const JsonDocument document(json, "preprocessing", ErrorKind::kValue);
  JsonObject object(document.root(), "preprocessing");
  Preprocessing p;
  p.height = object.integer("height", 1, 65536);
  p.width = object.integer("width", 1, 65536);
  p.channels = object.integer("channels", 1, 65536);
  p.mean = object.numbers("mean", -kMost, kMost);
  p.std = object.numbers("std", -kMost, kMost);
  p.resize = value_of(kResizeNames, "resize", object, p.resize);
  p.crop_fraction = object.number_or("crop_fraction", -kMost, kMost, p.crop_fraction);
  p.interpolation = value_of(kInterpolationNames, "interpolation", object, p.interpolation);
  object.finish();
  p.validate();
  return p;
}

Preprocessing preprocessing_for(const DatasetInfo& info) {
  return {.height = info.height, .width = info.width, .channels = info.channels, .mean = info.mean, .std = info.std};
}

Tensor preprocess(const Tensor& image, const Preprocessing& p) {
  const Tensor x = convert_channels(image, p.channels);
  if (x.size(1) == p.height && x.size(2) == p.width && p.crop_fraction == 1) return normalize(x, p.mean, p.std);
  check(x.numel() > 0, ErrorKind::kShape, "preprocess", "the image is empty: it is ", image.shape());
  Tensor y = contiguous(fitted(to(x, Dtype::f32), p));
  float* out = y.mutable_data<float>();
  const int64_t plane = p.height * p.width;
  for (int64_t c = 0; c < p.channels; ++c) {
    const auto scale = static_cast<float>(1 / (255 * p.std[c])), shift = static_cast<float>(-p.mean[c] / p.std[c]);
    for (int64_t i = c * plane; i < (c + 1) * plane; ++i) {
      out[i] = std::clamp(out[i], 0.0f, 255.0f) * scale + shift;  // bicubic overshoots; bytes, as PIL keeps, cannot
    }
  }
  return y;
}

}  // namespace vitrail
