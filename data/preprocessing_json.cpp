// The preprocessing record as JSON.
#include <cmath>

#include "base/json.h"
#include "base/json_writer.h"
#include "base/text.h"
#include "data/preprocessing.h"

namespace vitrail {
namespace {

template <class Enum>
struct Name {
  Enum value;
  const char* text;
};
constexpr Name<ResizeMode> kResizeNames[] = {{ResizeMode::kNone, "none"},
                                             {ResizeMode::kSquash, "squash"},
                                             {ResizeMode::kShortSide, "short_side"},
                                             {ResizeMode::kCover, "cover"},
                                             {ResizeMode::kContain, "contain"}};
constexpr Name<Resample> kInterpolationNames[] = {{Resample::kNearest, "nearest"},   {Resample::kBox, "box"},
                                                  {Resample::kBilinear, "bilinear"}, {Resample::kHamming, "hamming"},
                                                  {Resample::kBicubic, "bicubic"},   {Resample::kLanczos, "lanczos"}};
constexpr Name<PassOrder> kOrderNames[] = {{PassOrder::kHorizontalFirst, "horizontal_first"},
                                           {PassOrder::kPillow13, "pillow_13"}};
constexpr Name<CropOffset> kOffsetNames[] = {
    {CropOffset::kHalfEven, "half_even"}, {CropOffset::kFloor, "floor"}, {CropOffset::kTowardZero, "toward_zero"}};
constexpr Name<AlphaRule> kAlphaNames[] = {{AlphaRule::kCanvas, "canvas"},
                                           {AlphaRule::kWhite, "white"},
                                           {AlphaRule::kDrop, "drop"},
                                           {AlphaRule::kPremultiplied, "premultiplied"}};

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

// "resize", and in files of old "crop" with a fraction instead of sizes.
void read_resize(JsonObject& object, Preprocessing& p) {
  constexpr double kMost = 1e300;
  const double fraction = object.number_or("crop_fraction", -kMost, kMost, 1);
  check(fraction > 0 && fraction <= 1, ErrorKind::kValue, "preprocessing", "crop_fraction must be in (0, 1]: it is ", fraction);
  p.resize_height = object.integer_or("resize_height", 0, 65536, 0);
  p.resize_width = object.integer_or("resize_width", 0, 65536, 0);
  if (object.has("resize") && object.text("resize") == "crop") {
    p.resize = p.height == p.width ? ResizeMode::kShortSide : ResizeMode::kCover;
    const auto before_crop = [&](int64_t side) {
      return static_cast<int64_t>(std::min(65536.0, std::floor(static_cast<double>(side) / fraction)));
    };
    p.resize_height = before_crop(p.height), p.resize_width = before_crop(p.width);
  } else {
    p.resize = value_of(kResizeNames, "resize", object, p.resize);
  }
}

}  // namespace

std::string preprocessing_to_json(const Preprocessing& p) {
  JsonWriter json(2);
  json.begin_object().field("height", p.height).field("width", p.width).field("channels", p.channels);
  json.field("mean", p.mean).field("std", p.std).field("rescale", p.rescale).field("resize", text_of(kResizeNames, p.resize));
  json.field("resize_height", p.resize_height).field("resize_width", p.resize_width);
  json.field("interpolation", text_of(kInterpolationNames, p.interpolation))
      .field("pass_order", text_of(kOrderNames, p.pass_order));
  json.field("crop_offset", text_of(kOffsetNames, p.crop_offset)).field("padding", p.padding);
  json.field("alpha", text_of(kAlphaNames, p.alpha)).field("apply_orientation", p.apply_orientation);
  json.field("scaled_decoding", p.scaled_decoding);
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
  p.rescale = object.number_or("rescale", -kMost, kMost, p.rescale);
  read_resize(object, p);
  p.interpolation = value_of(kInterpolationNames, "interpolation", object, p.interpolation);
  p.pass_order = value_of(kOrderNames, "pass_order", object, p.pass_order);
  p.crop_offset = value_of(kOffsetNames, "crop_offset", object, p.crop_offset);
  p.padding = object.integers_or("padding", 0, 255, {});
  p.alpha = value_of(kAlphaNames, "alpha", object, p.alpha);
  p.apply_orientation = object.boolean_or("apply_orientation", p.apply_orientation);
  p.scaled_decoding = object.boolean_or("scaled_decoding", p.scaled_decoding);
  object.finish();
  p.validate();
  return p;
}

}  // namespace vitrail
