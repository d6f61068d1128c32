#include "data/augment/policy.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "base/text.h"
#include "data/augment/pixel_ops.h"

namespace vitrail::augment {
namespace {

constexpr double kMostMagnitude = 10;

using enum Operation;

constexpr Operation kRandOperations[] = {kAutoContrast, kEqualize,    kInvert, kRotate,     kPosterize,
                                         kSolarize,     kSolarizeAdd, kColor,  kContrast,   kBrightness,
                                         kSharpness,    kShearX,      kShearY, kTranslateX, kTranslateY};

constexpr Operation kTrivialOperations[] = {kIdentity,  kShearX,     kShearY,       kTranslateX, kTranslateY,
                                            kRotate,    kBrightness, kColor,        kContrast,   kSharpness,
                                            kPosterize, kSolarize,   kAutoContrast, kEqualize};

constexpr int64_t kTrivialStrengths = 31;

// t in [0, 1], sign -1 or 1.
Step rand_step(Operation operation, double t, double sign, int64_t height, int64_t width) {
  switch (operation) {
    case kRotate: return {operation, sign * t * 30};
    case kPosterize: return {operation, 4 - std::floor(4 * t)};
    case kSolarize: return {operation, 256 - std::min(256.0, std::floor(256 * t))};
    case kSolarizeAdd: return {operation, std::min(128.0, std::floor(110 * t))};
    case kColor:
    case kContrast:
    case kBrightness:
    case kSharpness: return {operation, std::max(0.1, 1 + sign * t * 0.9)};
    case kShearX:
    case kShearY: return {operation, sign * t * 0.3};
    case kTranslateX: return {operation, sign * t * 0.45 * static_cast<double>(width)};
    case kTranslateY: return {operation, sign * t * 0.45 * static_cast<double>(height)};
    default: return {operation, 0};
  }
}

// strength in 0 .. 30.
Step trivial_step(Operation operation, int64_t strength, double sign) {
  const double t = static_cast<double>(strength) / (kTrivialStrengths - 1);
  switch (operation) {
    case kShearX:
    case kShearY: return {operation, sign * t * 0.99};
    case kTranslateX:
    case kTranslateY: return {operation, sign * std::floor(t * 32)};
    case kRotate: return {operation, sign * t * 135};
    case kBrightness:
    case kColor:
    case kContrast:
    case kSharpness: return {operation, 1 + sign * t * 0.99};
    case kPosterize: return {operation, 8 - std::nearbyint(static_cast<double>(strength) / 5)};  // 30 / 6 strengths a bit
    case kSolarize: return {operation, 255 - 255 * t};
    default: return {operation, 0};
  }
}

View unmoved(Tensor image) {
  Geometry geometry = identity(image.size(1), image.size(2));
  return {std::move(image), geometry};
}

}  // namespace

Policy policy_from_name(const std::string& name) {
  if (name == "none") return Policy::kNone;
  if (name == "randaugment") return Policy::kRandAugment;
  if (name == "trivial") return Policy::kTrivialAugment;
  if (name == "three") return Policy::kThreeAugment;
  fail(ErrorKind::kValue, "augment", "unknown policy: it is ", quote(name),
       ". Hint: one of none, randaugment, trivial, three.");
}

const char* name_of(Operation operation) {
  static constexpr const char* kNames[] = {"identity", "autocontrast", "equalize",    "invert",      "rotate",     "posterize",
                                           "solarize", "solarize add", "color",       "contrast",    "brightness", "sharpness",
                                           "shear x",  "shear y",      "translate x", "translate y", "grayscale",  "blur"};
  return kNames[static_cast<size_t>(operation)];
}

View apply(const Step& step, const Tensor& image, const WarpStyle& style) {
  const int64_t height = image.size(1), width = image.size(2);
  const double number = step.number;
  const auto moved = [&](const Geometry& geometry) { return View{warp(image, geometry, style.filter, style.fill), geometry}; };
  switch (step.operation) {
    case kIdentity: return unmoved(image);
    case kAutoContrast: return unmoved(autocontrast(image));
    case kEqualize: return unmoved(equalize(image));
    case kInvert: return unmoved(invert(image));
    case kRotate: return moved(rotation(number, height, width));
    case kPosterize: return unmoved(posterize(image, static_cast<int64_t>(number)));
    case kSolarize: return unmoved(solarize(image, number));
    case kSolarizeAdd: return unmoved(solarize_add(image, static_cast<int64_t>(number)));
    case kColor: return unmoved(adjust_saturation(image, number));
    case kContrast: return unmoved(adjust_contrast(image, number));
    case kBrightness: return unmoved(adjust_brightness(image, number));
    case kSharpness: return unmoved(adjust_sharpness(image, number));
    case kShearX: return moved(shear_x(number, height, width));
    case kShearY: return moved(shear_y(number, height, width));
    case kTranslateX: return moved(translation(number, 0, height, width));
    case kTranslateY: return moved(translation(0, number, height, width));
    case kGrayscale: return unmoved(grayscale(image));
    case kBlur: return unmoved(gaussian_blur(image, number));
  }
  fail(ErrorKind::kValue, "augment", "unknown operation: it is ", static_cast<int>(step.operation), ".");
}

std::vector<Step> RandAugment::draw(int64_t height, int64_t width, const Rng& rng) const {
  std::vector<Step> steps;
  for (int64_t layer = 0; layer < layers; ++layer) {
    const Rng own = rng.at(static_cast<uint64_t>(layer));
    const Operation operation = kRandOperations[own.below(0, std::size(kRandOperations))];
    if (own.uniform(1) >= 0.5) continue;
    const double m = std::clamp(magnitude + deviation * own.normal(2), 0.0, kMostMagnitude);
    steps.push_back(rand_step(operation, m / kMostMagnitude, own.below(3, 2) == 0 ? 1 : -1, height, width));
  }
  return steps;
}

Step draw_trivial_augment(const Rng& rng) {
  const Operation operation = kTrivialOperations[rng.below(0, std::size(kTrivialOperations))];
  return trivial_step(operation, static_cast<int64_t>(rng.below(1, kTrivialStrengths)), rng.below(2, 2) == 0 ? 1 : -1);
}

Step draw_three_augment(const Rng& rng) {
  switch (rng.below(0, 3)) {
    case 0: return {kGrayscale, 0};
    case 1: return {kSolarize, 128};
    default: return {kBlur, 0.1 + 1.9 * rng.uniform(1)};
  }
}

View apply_policy(Policy policy, const RandAugment& options, const Tensor& image, const WarpStyle& style, const Rng& rng) {
  std::vector<Step> steps;
  if (policy == Policy::kRandAugment) steps = options.draw(image.size(1), image.size(2), rng);
  if (policy == Policy::kTrivialAugment) steps = {draw_trivial_augment(rng)};
  if (policy == Policy::kThreeAugment) steps = {draw_three_augment(rng)};
  const WarpStyle nearest{Filter::kNearest, {}};
  View view = unmoved(image);
  for (const Step& step : steps) {
    View next = apply(step, view.image, policy == Policy::kTrivialAugment ? nearest : style);
    view = {std::move(next.image), compose(view.geometry, next.geometry)};
  }
  return view;
}

}  // namespace vitrail::augment
