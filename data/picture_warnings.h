// What a picture has that a model can hardly have learnt from: said before its answer is believed.
#pragma once

#include <string>
#include <vector>

#include "data/preprocessing.h"

namespace vitrail {

// Sentences for the user, most telling first; none for a usual picture. `image` u8 [C, H, W] as decoded; `note` is what the
// decoder said of it (decode_image), "" for nothing. In brightness 0 (black) to 1 (white), m the picture's mean and t the
// training mean of the record:
//   - one colour everywhere; nearly black (no sample above 15 of 255)
//   - inverted: |m - t| > 0.4 and |1 - m - t| < 0.15, which says nothing where t is near 1/2
//   - far from the model's size: enlarged more than 4 times or shrunk more than 24 times, proportions changed more than 2.5
//   times, or
//     less than a third of it within the crop
std::vector<std::string> picture_warnings(const Tensor& image, const Preprocessing& preprocessing,
                                          const std::string& note = "");

}  // namespace vitrail
