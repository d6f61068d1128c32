// Geometric transforms as one affine map each, so that whatever belongs to a picture (boxes, points, masks) can follow it.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "data/target.h"
#include "tensor/tensor.h"

namespace vitrail::augment {

// How a pixel between pixels is computed, as Pillow's Image.transform(AFFINE) does it: without antialiasing.
enum class Filter {
  kNearest,
  kBilinear,
  kBicubic,  // Keys, 1981, with a = -1
};

// A map from the new picture (height x width) to the old one:
//   old_x = m[0] x + m[1] y + m[2],  old_y = m[3] x + m[4] y + m[5],
// in pixels, where pixel (i, j) covers [j, j + 1) x [i, i + 1).
struct Geometry {
  std::array<double, 6> matrix{1, 0, 0, 0, 1, 0};
  int64_t height = 0, width = 0;

  friend bool operator==(const Geometry&, const Geometry&) = default;
};

Geometry identity(int64_t height, int64_t width);
// The part [top, top + height) x [left, left + width) of the old picture, resized to out_height x out_width.
Geometry crop_and_resize(double top, double left, double height, double width, int64_t out_height, int64_t out_width);
Geometry flip_horizontal(int64_t height, int64_t width);
Geometry flip_vertical(int64_t height, int64_t width);
// Counter-clockwise about the middle.
Geometry rotation(double degrees, int64_t height, int64_t width);
// old_x = x + factor y, and old_y = y + factor x.
Geometry shear_x(double factor, int64_t height, int64_t width);
Geometry shear_y(double factor, int64_t height, int64_t width);
// old = new + (dx, dy): the picture moves to the left and up.
Geometry translation(double dx, double dy, int64_t height, int64_t width);
// `first`, and then `second` of its result.
Geometry compose(const Geometry& first, const Geometry& second);

// The point (x, y) of the old picture in the new one. Error(kValue) if the map is not invertible.
std::array<double, 2> map_point(const Geometry& geometry, double x, double y);

// u8 [C, H, W] -> u8 [C, height, width]; pixels from outside the old picture are fill[c] ({}: 0). The bytes of Pillow's
// Image.transform(size, AFFINE, matrix, filter, fillcolor): a pixel's value is taken at its centre and, but for kNearest, cut
// to a byte, not rounded.
Tensor warp(const Tensor& image, const Geometry& geometry, Filter filter, const std::vector<uint8_t>& fill = {});

// A mask u8 [H, W] that follows the picture: nearest, so that no class arises that was not there; `outside` where there was
// nothing (255: ignore).
Tensor warp_mask(const Tensor& mask, const Geometry& geometry, uint8_t outside = 255);

// The target of the old picture as that of the new one: boxes become the smallest upright box around their four mapped corners,
// cut at the border; boxes of which less than `least_part` of the area remains inside are left out, with their labels and
// flags. The mask follows; label and captions stay.
Target follow(const Target& target, const Geometry& geometry, double least_part = 0.1);

}  // namespace vitrail::augment
