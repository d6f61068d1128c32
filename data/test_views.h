// Several looks at one picture, whose answers are averaged: test-time augmentation.
#pragma once

#include <vector>

#include "data/preprocessing.h"

namespace vitrail {

// Five views of a picture u8 [C, H, W], each f32 [channels, height, width] as the model takes it: preprocess(image), and the
// top left, top right, bottom left and bottom right crop of the same picture brought to a size that is 2 d larger, d = a
// fourteenth of the model's side (at least 1): 28 x 28 within 32 x 32, 224 x 224 within 256 x 256. With `mirrored` ten: each of
// the five, then each of the five with left and right exchanged. (Ten crops: Krizhevsky, Sutskever and Hinton, NeurIPS 2012,
// section 4.1.)
std::vector<Tensor> test_views(const Tensor& image, const Preprocessing& preprocessing, bool mirrored);

}  // namespace vitrail
