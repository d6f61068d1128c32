// Resizing of pictures to the bit as Pillow does it, which is what the world's checkpoints were trained with. For tensors with
// gradients (position embeddings) there is tensor/ops/resize.h.
#pragma once

#include <cstdint>
#include <vector>

#include "tensor/tensor.h"

namespace vitrail {

// The support of each filter f, in input pixels where the picture grows; where it shrinks, the filter is widened by that
// factor.
enum class Resample {
  kNearest,   // no filter: the pixel under the centre of the output pixel
  kBox,       // 1/2: f = 1
  kBilinear,  // 1:   f = 1 - |x|
  kHamming,   // 1:   f = sinc(x) (0.54 + 0.46 cos(pi x))
  kBicubic,   // 2:   Keys, "Cubic convolution interpolation for digital image processing", 1981, with a = -1/2
  kLanczos,   // 3:   f = sinc(x) sinc(x / 3)
};

// Between the two passes pixels are rounded to bytes, so that their order shows in the result.
enum class PassOrder {
  kHorizontalFirst,  // Pillow up to 12.1
  kPillow13,         // vertical first where out_h < in_h and in_h - out_h > 2 (in_w - out_w)
};

// A rectangle of pixels.
struct Region {
  int64_t top = 0, left = 0, height = 0, width = 0;
};

// The part `region` of `image` resized to out_h x out_w: u8 [C, H, W] -> u8 [C, region.height, region.width]. What lies outside
// the region is not computed: an elongated picture whose middle is wanted costs no more than others.
//   y[i] = clip((2^21 + sum_j k[i, j] x[j]) >> 22),  k[i, j] = round(2^22 f((j - c_i + 1/2) / s) / sum_j f(..)),
//   c_i = (i + 1/2) in / out,  s = max(in / out, 1)
// along each axis whose size changes. The same bytes as Pillow's Image.resize(size, filter).
// Error(kShape) unless image is u8 [C, H, W] with pixels; Error(kValue) unless 1 <= out_h, out_w <= 2^31 and the region lies
// within.
Tensor resample(const Tensor& image, int64_t out_h, int64_t out_w, Resample filter, const Region& region,
                PassOrder order = PassOrder::kHorizontalFirst);
// All of it.
Tensor resample(const Tensor& image, int64_t out_h, int64_t out_w, Resample filter,
                PassOrder order = PassOrder::kHorizontalFirst);

// Blocks of rows x columns pixels averaged, those at the edges of what is left: u8 [C, H, W] -> u8 [C, ceil(H / rows), ceil(W /
// columns)], y = ((n / 2 + sum of the n pixels) floor(2^24 / n)) >> 24. The bytes of Pillow's Image.reduce().
// Error(kShape) unless image is u8 [C, H, W] with pixels, Error(kValue) unless rows and columns lie in [1, 4096].
Tensor reduce(const Tensor& image, int64_t rows, int64_t columns);

// The weights of the outputs [begin, end) of an axis of `in` pixels resized to `out`.
struct AxisWeights {
  std::vector<int64_t> first;    // [end - begin]: the first input pixel of each output
  std::vector<int64_t> count;    // [end - begin]: how many input pixels it takes
  std::vector<int32_t> weights;  // [end - begin, taps]: in units of 2^-22
  int64_t taps = 0;
};

// Of a filter other than kNearest. In a file of its own, compiled without fused multiply-add: Pillow's bits hang on the
// rounding of each operation in double.
AxisWeights axis_weights(int64_t in, int64_t out, int64_t begin, int64_t end, Resample filter);
// Of kNearest: the input pixel of each of the outputs [begin, end). Like Pillow, by repeated addition of in / out.
std::vector<int64_t> nearest_pixels(int64_t in, int64_t out, int64_t begin, int64_t end);

}  // namespace vitrail
