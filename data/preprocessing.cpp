#include "data/preprocessing.h"

#include <algorithm>
#include <cmath>

#include "data/transforms.h"
#include "tensor/view.h"

namespace vitrail {
namespace {

constexpr int64_t kMostSide = 65536;

int64_t crop_start(int64_t size, int64_t crop, CropOffset rule) {
  const int64_t rest = size - crop;
  switch (rule) {
    case CropOffset::kFloor: return rest >= 0 ? rest / 2 : -((1 - rest) / 2);
    case CropOffset::kHalfEven: return rest >= 0 ? rest / 2 + (rest % 4 == 3) : rest / 2;  // 3.5 to 4, 2.5 to 2
    case CropOffset::kTowardZero: break;
  }
  return rest / 2;
}

// u8 [C, H, W], every plane of one value.
Tensor ground(const Preprocessing& p) {
  Tensor image = zeros({p.channels, p.height, p.width}, Dtype::u8);
  const int64_t plane = p.height * p.width;
  for (size_t c = 0; c < p.padding.size(); ++c)
    std::fill_n(image.mutable_data<uint8_t>() + static_cast<int64_t>(c) * plane, plane, static_cast<uint8_t>(p.padding[c]));
  return image;
}

// What the crop shows of one axis: [first, first + count) of the resized picture, put at `at` of the crop.
struct Visible {
  int64_t first, count, at;
};

Visible visible(int64_t size, int64_t start, int64_t crop) {
  const int64_t first = std::max<int64_t>(start, 0);
  return {first, std::min(size, start + crop) - first, first - start};
}

// u8 [channels, height, width].
Tensor fitted(const Tensor& x, const Preprocessing& p) {
  const PictureGeometry g = picture_geometry(p, x.size(1), x.size(2));
  const Visible v = visible(g.height, g.top, p.height), h = visible(g.width, g.left, p.width);
  const Tensor y = resample(x, g.height, g.width, p.interpolation, {v.first, h.first, v.count, h.count}, p.pass_order);
  if (v.count == p.height && h.count == p.width) return y;
  Tensor padded = ground(p);
  copy_(slice(slice(padded, 1, v.at, v.at + v.count), 2, h.at, h.at + h.count), y);
  return padded;
}

}  // namespace

void Preprocessing::validate() const {
  const auto in_range = [](const char* key, bool rule, const char* range, double value) {
    check(rule, ErrorKind::kValue, "preprocessing", key, " must be ", range, ": it is ", value);
  };
  const auto side = [&](const char* key, int64_t value, int64_t least) {
    in_range(key, value >= least && value <= kMostSide, least == 0 ? "in [0, 65536]" : "in [1, 65536]",
             static_cast<double>(value));
  };
  side("height", height, 1);
  side("width", width, 1);
  side("resize_height", resize_height, 0);
  side("resize_width", resize_width, 0);
  check((resize_height == 0) == (resize_width == 0), ErrorKind::kValue, "preprocessing",
        "resize_height and resize_width must both be given or both be 0: they are ", resize_height, " and ", resize_width);
  const int64_t h = resize_height ? resize_height : height, w = resize_width ? resize_width : width;
  check(resize != ResizeMode::kShortSide || h == w, ErrorKind::kValue, "preprocessing",
        "resize short_side needs one size for both sides: it is ", h, " x ", w, ". Hint: use cover.");
  in_range("channels", channels == 1 || channels == 3, "1 or 3", static_cast<double>(channels));
  in_range("rescale", std::isfinite(rescale) && rescale > 0, "positive", rescale);
  check(static_cast<int64_t>(mean.size()) == channels && mean.size() == std.size(), ErrorKind::kValue, "preprocessing",
        "mean and std must have one value per channel: they have ", mean.size(), " and ", std.size(), " for ", channels);
  for (double m : mean) in_range("mean", std::isfinite(m), "finite", m);
  for (double s : std) in_range("std", std::isfinite(s) && s > 0, "positive", s);
  check(padding.empty() || static_cast<int64_t>(padding.size()) == channels, ErrorKind::kValue, "preprocessing",
        "padding must have one value per channel or none: it has ", padding.size(), " for ", channels);
  for (int64_t v : padding) in_range("padding", v >= 0 && v <= 255, "in [0, 255]", static_cast<double>(v));
}

Preprocessing preprocessing_for(const DatasetInfo& info) {
  return {.height = info.height, .width = info.width, .channels = info.channels, .mean = info.mean, .std = info.std};
}

PictureGeometry picture_geometry(const Preprocessing& p, int64_t h, int64_t w) {
  check(h >= 1 && w >= 1, ErrorKind::kShape, "preprocess", "the image is empty: it is ", h, " x ", w);
  const int64_t to_h = p.resize_height ? p.resize_height : p.height, to_w = p.resize_width ? p.resize_width : p.width;
  PictureGeometry g{h, w};
  if (p.resize == ResizeMode::kSquash) g.height = to_h, g.width = to_w;
  if (p.resize == ResizeMode::kShortSide) {
    const int64_t least = std::min(h, w);
    g.height = h * to_h / least, g.width = w * to_h / least;  // integers: the short side is exact
  }
  if (p.resize == ResizeMode::kCover || p.resize == ResizeMode::kContain) {
    const double across = static_cast<double>(w) / static_cast<double>(to_w),
                 down = static_cast<double>(h) / static_cast<double>(to_h);
    const double ratio = p.resize == ResizeMode::kCover ? std::min(across, down) : std::max(across, down);
    const auto side = [&](int64_t from) {  // nearbyint rounds half to even
      return std::max<int64_t>(1, std::llround(std::nearbyint(static_cast<double>(from) / ratio)));
    };
    g.height = side(h), g.width = side(w);
  }
  check(std::max(g.height, g.width) <= int64_t{1} << 31, ErrorKind::kValue, "preprocess", "image ", h, " x ", w,
        " is too elongated: resized it would be ", g.height, " x ", g.width);
  g.top = crop_start(g.height, p.height, p.crop_offset);
  g.left = crop_start(g.width, p.width, p.crop_offset);
  return g;
}

DecodeOptions decode_options(const Preprocessing& p) {
  DecodeOptions options{.alpha = p.alpha, .apply_orientation = p.apply_orientation};
  // Two pixels for each of the resized picture: the filter that follows then hides most of the difference.
  if (p.scaled_decoding)
    options.min_side = 2 * std::max(p.resize_height ? p.resize_height : p.height, p.resize_width ? p.resize_width : p.width);
  return options;
}

Tensor fit(const Tensor& image, const Preprocessing& p) {
  const bool has_alpha = image.dim() == 3 && (image.size(0) == 2 || image.size(0) == 4);
  if (!has_alpha) return fitted(convert_channels(image, p.channels), p);
  const PictureGeometry g = picture_geometry(p, image.size(1), image.size(2));
  if (g.height == image.size(1) && g.width == image.size(2)) return fitted(convert_channels(image, p.channels), p);
  const Tensor resized = without_alpha(resample(premultiplied(image), g.height, g.width, p.interpolation, p.pass_order));
  Preprocessing rest = p;  // the crop alone
  rest.resize = ResizeMode::kNone, rest.resize_height = rest.resize_width = 0;
  return fitted(convert_channels(resized, p.channels), rest);
}

Tensor finish(const Tensor& image, const Preprocessing& p) { return normalize(image, p.mean, p.std, p.rescale); }

Tensor denormalize(const Tensor& x, const Preprocessing& p) {
  check(x.dtype() == Dtype::f32 && x.dim() >= 3 && x.size(-3) == p.channels, ErrorKind::kShape, "denormalize",
        "needs f32 [.., ", p.channels, ", H, W]: it is ", name_of(x.dtype()), " ", x.shape());
  const Tensor in = contiguous(x);
  Tensor result = empty(x.shape(), Dtype::u8, "denormalize");
  const int64_t plane = x.size(-2) * x.size(-1);
  const float* from = in.data<float>();
  uint8_t* to = result.mutable_data<uint8_t>();
  for (int64_t i = 0; i < in.numel(); ++i) {
    const auto c = static_cast<size_t>(i / plane % p.channels);
    const double value = (from[i] * p.std[c] + p.mean[c]) / p.rescale;
    to[i] = static_cast<uint8_t>(std::clamp(std::nearbyint(value), 0.0, 255.0));
  }
  return result;
}

Tensor preprocess(const Tensor& image, const Preprocessing& p) { return finish(fit(image, p), p); }

}  // namespace vitrail
