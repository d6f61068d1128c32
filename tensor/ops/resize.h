// Resizing of images and position embeddings: the last two axes of [..., H, W].
#pragma once

#include "tensor/tensor.h"

namespace vitrail {

enum class Interpolation { kNearest, kBilinear, kBicubic };

struct ResizeOptions {
  Interpolation mode = Interpolation::kBilinear;
  bool align_corners = false;  // true: corners map to corners; false: pixel centres (half-pixel)
  // Widen the filter by the down-scaling factor, as PIL and torch(antialias=True) do. Not for kNearest.
  bool antialias = false;
};

// Cubic coefficient a: -0.75 without antialias (torch), -0.5 with it (PIL, torch). Nearest is floor(i * in / out).
// Error(kShape) unless rank >= 2 and all extents >= 1.
Tensor resize(const Tensor& x, int64_t out_h, int64_t out_w, const ResizeOptions& options = {});
Tensor resize_backward(const Tensor& dy, const Shape& x_shape, const ResizeOptions& options);

}  // namespace vitrail
