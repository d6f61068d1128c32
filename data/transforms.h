// Image transforms as pure functions of an image and a random generator: the same key gives the same picture, whatever
// the thread, the batch or the run.
#pragma once

#include <cstdint>
#include <vector>

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

// What training does to an image beyond preprocessing.
struct Augmentation {
  int64_t crop_padding = 0;  // random_crop with this padding; 0 = none
  bool mirror = false;       // random_mirror
};

// From a data set's image to the model's input, for training and for evaluation.
struct Transform {
  Preprocessing preprocessing;
  Augmentation augmentation;

  // preprocess(image): no randomness.
  Tensor eval(const Tensor& image) const { return preprocess(image, preprocessing); }
  // The same after augmentation. `rng` belongs to this sample in this epoch: each op takes a key of its own from it.
  Tensor train(const Tensor& image, const Rng& rng) const;
};

}  // namespace vitrail
