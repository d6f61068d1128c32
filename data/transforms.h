// Image transforms as pure functions of an image and a random generator: the same key gives the same picture, whatever
// the thread, the batch or the run.
#pragma once

#include <cstdint>
#include <vector>

#include "data/augment/policy.h"
#include "data/preprocessing.h"
#include "tensor/rng.h"
#include "tensor/tensor.h"

namespace vitrail {

// (rescale x - mean[c]) / std[c] for u8 [C, H, W] -> f32 [C, H, W]. Error(kShape) unless mean and std have C values.
Tensor normalize(const Tensor& image, const std::vector<double>& mean, const std::vector<double>& std,
                 double rescale = 1.0 / 255);

// Pads `padding` pixels of value 0 on each side and cuts out the old size at a random place. u8 [C, H, W].
Tensor random_crop(const Tensor& image, int64_t padding, const Rng& rng);

// Left and right exchanged.
Tensor mirror(const Tensor& image);
// Left and right exchanged in half of the cases.
Tensor random_mirror(const Tensor& image, const Rng& rng);

// What training does to a picture beyond preprocessing, in this order. All but the first two work on the picture at the model's
// size.
struct Augmentation {
  int64_t crop_padding = 0;    // random_crop() with this padding; 0: none. Replaced by crop_scale
  bool mirror = false;         // random_mirror()
  double crop_scale = 0;       // random resized crop (augment::draw_resized_crop) instead of the whole picture; 0: none
  bool flip_vertical = false;  // top and bottom exchanged in half of the cases
  double rotate = 0;           // degrees: turned by an angle uniform in [-rotate, rotate]; corners that come in are black
  augment::Policy policy = augment::Policy::kNone;
  augment::RandAugment rand_augment{};
  double jitter = 0, hue = 0;  // augment::color_jitter
  double grayscale = 0;        // probability
  double blur = 0;             // probability of a Gaussian blur, sigma uniform in [0.1, 2] (DeiT III)
  double erase = 0;            // probability of augment::random_erasing
};

// A picture as the model takes it, and where its pixels come from.
struct Augmented {
  Tensor image;                // f32 [C, H, W]
  augment::Geometry geometry;  // from the model's pixels to those of the picture
};

// From a data set's image to the model's input, for training and for evaluation.
struct Transform {
  Preprocessing preprocessing;
  Augmentation augmentation;

  // preprocess(image): no randomness.
  Tensor eval(const Tensor& image) const { return preprocess(image, preprocessing); }
  // The same after augmentation. `rng` belongs to this sample in this epoch: each op takes a key of its own from it.
  Tensor train(const Tensor& image, const Rng& rng) const { return augmented(image, rng).image; }
  Augmented augmented(const Tensor& image, const Rng& rng) const;
};

}  // namespace vitrail
