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
  // Output pixels per input pixel where they are not output extent / input extent, as scale_factor in torch: output i reads
  // around (i + 0.5) / scale - 0.5. 0: the quotient of the extents. Between pixel centres and without antialias only.
  double scale_h = 0, scale_w = 0;
};

// y = V x W^T for each image, where V and W are sparse matrices of interpolation weights, one for each axis; W^T is applied
// first. Every output is a weighted mean (weights sum to one); pixels beyond the border count as the border pixel (with
// antialias they are left out).
// Cubic coefficient a: -0.75 without antialias (torch), -0.5 with it (PIL, torch). Nearest is floor(i * in / out).
// Cubic kernel: Keys, "Cubic convolution interpolation for digital image processing", 1981, equation 8.
// Error(kShape) unless rank >= 2 and H, W, out_h, out_w >= 1 (other extents may be 0); Error(kValue) for align_corners or
// antialias with kNearest, and for the two together: a filter widened around pixel centres has no corners to align.
// Error(kValue) for a scale with any of them, and unless floor(extent * scale) is the output's extent.
Tensor resize(const Tensor& x, int64_t out_h, int64_t out_w, const ResizeOptions& options = {});
// The transpose of resize: dx = V^T dy W.
Tensor resize_backward(const Tensor& dy, const Shape& x_shape, const ResizeOptions& options);

}  // namespace vitrail
