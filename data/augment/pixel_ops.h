// Operations on the colours of a picture u8 [C, H, W] with C = 1 or 3, to the byte as Pillow computes them. `factor` blends
// with a degenerate picture d, as ImageEnhance does: y = clip(d + factor (x - d)), cut to a byte; 1 changes nothing, 0 gives d.
#pragma once

#include <cstdint>

#include "tensor/tensor.h"

namespace vitrail::augment {

// [1, H, W]: (19595 R + 38470 G + 7471 B + 2^15) >> 16 (ITU-R BT.601 in units of 2^-16).
Tensor luma(const Tensor& image);
// The luma in every channel.
Tensor grayscale(const Tensor& image);

Tensor adjust_brightness(const Tensor& image, double factor);  // d: black
Tensor adjust_contrast(const Tensor& image, double factor);    // d: the mean of the luma, rounded
Tensor adjust_saturation(const Tensor& image, double factor);  // d: grayscale(); nothing to do for one channel
// d: each pixel the mean of its 3 x 3 neighbours, itself with weight 5, rounded; the border as it is.
Tensor adjust_sharpness(const Tensor& image, double factor);
// The hue of HSV turned by shift in [-0.5, 0.5] of the circle, in bytes: floor(255 |shift|) steps of 256. Nothing to do for one
// channel.
Tensor adjust_hue(const Tensor& image, double shift);

Tensor invert(const Tensor& image);                        // 255 - x
Tensor solarize(const Tensor& image, double threshold);    // 255 - x where x >= threshold
Tensor solarize_add(const Tensor& image, int64_t amount);  // min(255, x + amount) where x < 128
Tensor posterize(const Tensor& image, int64_t bits);       // the highest `bits` of [0, 8] kept
Tensor autocontrast(const Tensor& image);                  // each channel stretched to [0, 255]
Tensor equalize(const Tensor& image);                      // each channel's histogram made even

// Gaussian blur of standard deviation sigma >= 0 in pixels, as three box blurs of fractional radius along each axis (Gwosdek et
// al., "Theoretical Foundations of Gaussian Convolution by Extended Box Filtering", SSVM 2011, equations 7, 11 and 14); pixels
// beyond the border repeat it.
Tensor gaussian_blur(const Tensor& image, double sigma);

}  // namespace vitrail::augment
