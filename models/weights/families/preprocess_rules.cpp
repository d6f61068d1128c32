#include "models/weights/families/preprocess_rules.h"

#include <cmath>

#include "base/json.h"
#include "base/text.h"

namespace vitrail::weights {

namespace {

const std::vector<double> kHalf{0.5, 0.5, 0.5};
const std::vector<double> kImageNetMean{0.485, 0.456, 0.406}, kImageNetStd{0.229, 0.224, 0.225};
const std::vector<double> kClipMean{0.48145466, 0.4578275, 0.40821073}, kClipStd{0.26862954, 0.26130258, 0.27577711};

Preprocessing squashed(models::Size2d size) {
  Preprocessing p;
  p.height = size.h, p.width = size.w;
  p.mean = kHalf, p.std = kHalf;
  p.resize = ResizeMode::kSquash, p.interpolation = Resample::kBilinear;
  p.alpha = AlphaRule::kDrop;
  return p;
}

Preprocessing short_side(models::Size2d size, int64_t resized, Resample filter) {
  Preprocessing p = squashed(size);
  p.resize = size.h == size.w ? ResizeMode::kShortSide : ResizeMode::kCover;
  p.resize_height = resized, p.resize_width = size.h == size.w ? resized : resized * size.w / size.h;
  p.interpolation = filter;
  return p;
}

}  // namespace

Resample interpolation_of(const std::string& name, const std::string& file) {
  const std::pair<const char*, Resample> known[] = {{"nearest", Resample::kNearest},   {"box", Resample::kBox},
                                                    {"bilinear", Resample::kBilinear}, {"hamming", Resample::kHamming},
                                                    {"bicubic", Resample::kBicubic},   {"lanczos", Resample::kLanczos},
                                                    {"random", Resample::kBilinear}};  // timm evaluates "random" as bilinear
  for (const auto& [text, filter] : known)
    if (name == text) return filter;
  fail(ErrorKind::kData, "weights", escaped_path(file), ": the interpolation ", quote(name),
       " is unknown: known are nearest, box, bilinear, hamming, bicubic, lanczos");
}

Preprocessing timm_preprocessing(const TimmPictures& t, const std::string& file) {
  Preprocessing p;
  p.height = t.size.h, p.width = t.size.w;
  p.channels = static_cast<int64_t>(t.mean.size());
  p.mean = t.mean, p.std = t.std;
  p.interpolation = interpolation_of(t.interpolation, file);
  p.alpha = AlphaRule::kDrop;
  p.resize_height = static_cast<int64_t>(std::floor(static_cast<double>(t.size.h) / t.crop_pct));
  p.resize_width = static_cast<int64_t>(std::floor(static_cast<double>(t.size.w) / t.crop_pct));
  if (t.crop_mode == "squash") {
    p.resize = ResizeMode::kSquash;
  } else if (t.crop_mode == "border") {
    p.resize = ResizeMode::kContain;
    for (const double mean : t.mean) p.padding.push_back(std::lround(255 * mean));
  } else if (t.crop_mode == "center") {
    p.resize = p.resize_height == p.resize_width ? ResizeMode::kShortSide : ResizeMode::kCover;
  } else {
    fail(ErrorKind::kData, "weights", escaped_path(file), ": the crop_mode ", quote(t.crop_mode),
         " is unknown: known are center, squash, border");
  }
  return p;
}

const std::vector<std::string>& preprocessing_families() {
  static const std::vector<std::string> all{"timm", "deit", "huggingface", "torchvision", "google", "clip"};
  return all;
}

Preprocessing family_preprocessing(const std::string& family, models::Size2d size) {
  const auto timm = [&](const std::vector<double>& mean, const std::vector<double>& std) {
    return timm_preprocessing({.size = size, .mean = mean, .std = std, .crop_pct = 0.9}, family);
  };
  if (family == "timm") return timm(kHalf, kHalf);
  if (family == "deit") return timm(kImageNetMean, kImageNetStd);
  if (family == "google") return squashed(size);
  if (family == "huggingface") {
    Preprocessing p = squashed(size);
    p.crop_offset = CropOffset::kFloor;
    return p;
  }
  if (family == "torchvision") {
    Preprocessing p = short_side(size, std::lround(static_cast<double>(size.h) * 256 / 224), Resample::kBilinear);
    p.mean = kImageNetMean, p.std = kImageNetStd;
    return p;
  }
  if (family == "clip") {
    Preprocessing p = short_side(size, size.h, Resample::kBicubic);
    p.mean = kClipMean, p.std = kClipStd;
    return p;
  }
  const std::string near = nearest(family, preprocessing_families());
  fail(ErrorKind::kValue, "weights", "no family of preprocessing has this name: it is ", quote(family),
       ". Hint: ", near.empty() ? "" : cat("did you mean ", near, "? "), "There are ", listed(preprocessing_families(), 10),
       "; or give a preprocessor_config.json.");
}

}  // namespace vitrail::weights
