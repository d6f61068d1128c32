// Random operations on one picture; what is drawn is a function of the generator alone.
#pragma once

#include <cstdint>

#include "data/augment/policy.h"
#include "tensor/rng.h"
#include "tensor/tensor.h"

namespace vitrail::augment {

// A rectangle of whole pixels.
struct Rectangle {
  int64_t top = 0, left = 0, height = 0, width = 0;
};

// The part of a picture that a random resized crop shows, as torchvision and timm draw it (Szegedy et al., arXiv:1409.4842,
// section 6): area uniform in [scale, 1] of the picture, the logarithm of width / height uniform in [log 3/4, log 4/3]; after
// ten tries that do not fit, the largest part in the middle whose proportions are allowed. Error(kValue) unless 0 < scale <= 1.
Rectangle draw_resized_crop(int64_t height, int64_t width, double scale, const Rng& rng);

// Brightness, contrast and saturation by factors uniform in [max(0, 1 - strength), 1 + strength], hue turned by a part uniform
// in [-hue, hue], in random order: torchvision's ColorJitter. Error(kValue) unless strength >= 0 and hue in [0, 0.5].
Tensor color_jitter(const Tensor& image, double strength, double hue, const Rng& rng);

// In place on a normalised picture f32 [C, H, W]: with the given probability a rectangle is filled with normal noise N(0, 1),
// every pixel and channel its own ("pixel" mode of timm). Its area is uniform in [0.02, 1/3] of the picture, the logarithm of
// height / width uniform in [log 0.3, log 1/0.3]; ten tries (Zhong et al., "Random Erasing Data Augmentation",
// arXiv:1708.04896, algorithm 1). The rectangle, empty if nothing was erased.
Rectangle random_erasing(Tensor& image, double probability, const Rng& rng);

}  // namespace vitrail::augment
