// Automatic augmentation: policies that choose among fixed operations. Each draws from its own generator alone, so that a
// picture is a function of (seed, epoch, sample).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/augment/geometry.h"
#include "tensor/rng.h"
#include "tensor/tensor.h"

namespace vitrail::augment {

enum class Policy {
  kNone,
  kRandAugment,
  kTrivialAugment,
  kThreeAugment,
};

// "none", "randaugment", "trivial", "three". Error(kValue) listing them for another name.
Policy policy_from_name(const std::string& name);

// A changed picture u8 [C, H, W], and where its pixels come from.
struct View {
  Tensor image;
  Geometry geometry;
};

// What the geometric operations need: how to compute pixels between pixels, and the value of pixels from outside ({}: 0).
struct WarpStyle {
  Filter filter = Filter::kBilinear;
  std::vector<uint8_t> fill{};
};

enum class Operation {
  kIdentity,
  kAutoContrast,
  kEqualize,
  kInvert,
  kRotate,
  kPosterize,
  kSolarize,
  kSolarizeAdd,
  kColor,
  kContrast,
  kBrightness,
  kSharpness,
  kShearX,
  kShearY,
  kTranslateX,
  kTranslateY,
  kGrayscale,
  kBlur,
};
const char* name_of(Operation operation);

// An operation with its number: degrees, bits kept, threshold, amount added, blending factor, shear, pixels, sigma.
struct Step {
  Operation operation;
  double number = 0;
};
View apply(const Step& step, const Tensor& image, const WarpStyle& style);

// RandAugment as timm defines "rand-m9-mstd0.5-inc1" (Cubuk et al., "RandAugment", arXiv:1909.13719, section 3): `layers`
// times, one of 15 operations, drawn evenly, is applied with probability 1/2, with magnitude m ~ N(magnitude, deviation)
// clamped to [0, 10], t = m / 10 and a random sign s:
//   AutoContrast, Equalize, Invert; Rotate 30 s t degrees; Posterize to 4 - floor(4 t) bits; Solarize from 256 - floor(256 t);
//   SolarizeAdd floor(110 t); Color, Contrast, Brightness, Sharpness by 1 + 0.9 s t, at least 0.1; ShearX, ShearY 0.3 s t;
//   TranslateX, TranslateY 0.45 s t of the side.
struct RandAugment {
  double magnitude = 9, deviation = 0.5;
  int64_t layers = 2;

  // The steps for a picture height x width.
  std::vector<Step> draw(int64_t height, int64_t width, const Rng& rng) const;
};

// One of 14 operations of TrivialAugment (Mueller and Hutter, arXiv:2103.10158, table 1, "wide") at one of 31 evenly spaced
// strengths, with a random sign where it has one, as torchvision's TrivialAugmentWide:
//   Identity, AutoContrast, Equalize; ShearX, ShearY to 0.99; TranslateX, TranslateY to 32 whole pixels; Rotate to 135 degrees;
//   Brightness, Color, Contrast, Sharpness by 1 +- 0.99; Posterize to 8 .. 2 bits; Solarize from 255 .. 0.
Step draw_trivial_augment(const Rng& rng);

// 3-Augment (Touvron et al., "DeiT III", arXiv:2204.07118, section 3.3): grayscale, solarize (from 128) or Gaussian blur (sigma
// in [0.1, 2]), one of the three for each picture. Its colour jitter and flip are operations of their own (data/transforms.h).
Step draw_three_augment(const Rng& rng);

// The picture after the steps that a policy draws. TrivialAugment: nearest pixels and black outside, as torchvision; the others
// use `style`.
View apply_policy(Policy policy, const RandAugment& options, const Tensor& image, const WarpStyle& style, const Rng& rng);

}  // namespace vitrail::augment
