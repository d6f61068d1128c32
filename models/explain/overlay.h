// A map of patches laid over the picture that it speaks of, at the picture's own resolution.
#pragma once

#include <array>

#include "data/preprocessing.h"
#include "models/config.h"

namespace vitrail::models::explain {

// Red, green and blue, 0 to 255.
using Colour = std::array<double, 3>;

// From dark violet (0) over green to yellow (1): viridis (van der Walt & Smith, 2015, CC0) by its values at nine points, linear
// between; `value` is clamped.
Colour heat_colour(double value);
// How much of a pixel is that colour: the picture stays visible where the map is cold.
inline double heat_part(double value) { return 0.25 + 0.5 * value; }
constexpr size_t kHeatPoints = 9;
const std::array<Colour, kHeatPoints>& heat_points();

// The part of a picture that the model sees, in parts of the picture's height and width: [top, top + height) x [left, left +
// width). Where the preprocessing cuts, it is smaller than the picture; where it pads, larger.
struct SeenPart {
  double top = 0, left = 0, height = 1, width = 1;
};
// Of a picture of h x w pixels as decoded for the model.
SeenPart seen_part(const Preprocessing& preprocessing, int64_t h, int64_t w);

// The map [gh, gw], whose cells tile the part that the model sees, at the centre of each pixel of a picture h x w: bilinear
// between the centres of cells, constant beyond the outer ones; NaN where the model sees nothing. f64 [h, w].
Tensor upsampled(const Tensor& map, const SeenPart& seen, int64_t h, int64_t w);

// (x - smallest) / (largest - smallest) of the numbers of x, f64; 0 everywhere if they are all alike.
Tensor stretched(const Tensor& x);

// u8 [1 or 3, H, W] under the colours of stretched(map): u8 [3, H, W]. Pixels that the model does not see keep
// theirs.
Tensor overlay(const Tensor& picture, const Tensor& map, const SeenPart& seen);

}  // namespace vitrail::models::explain
