// What the families do to a picture, where a file beside the weights says it in their terms, or says nothing.
#pragma once

#include <string>
#include <vector>

#include "data/preprocessing.h"
#include "models/config.h"

namespace vitrail::weights {

// timm's pretrained_cfg.
struct TimmPictures {
  models::Size2d size;
  std::vector<double> mean, std;
  double crop_pct = 0.875;
  std::string interpolation = "bicubic", crop_mode = "center";
};
// timm 1.0.31, data/transforms_factory.py, transforms_imagenet_eval(). Error(kData) naming `file` for an unknown mode.
Preprocessing timm_preprocessing(const TimmPictures& pictures, const std::string& file);

// The usual preprocessing of a family for an input size: "timm" (augreg: a half, bicubic, crop_pct 0.9), "deit" (ImageNet's
// mean, bicubic, 0.9), "huggingface" (a half, squashed, bilinear), "torchvision" (ImageNet's, short side 256 / 224 of the size,
// bilinear), "google" (a half, squashed, bilinear), "clip" (CLIP's, short side, bicubic). Error(kValue) naming these for
// another.
Preprocessing family_preprocessing(const std::string& family, models::Size2d size);
const std::vector<std::string>& preprocessing_families();

// "bicubic", "bilinear", ... Error(kData) naming `file`.
Resample interpolation_of(const std::string& name, const std::string& file);

}  // namespace vitrail::weights
