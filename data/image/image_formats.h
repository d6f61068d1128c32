// The decoders behind decode_image, one per format. Each throws Error(kData) that names `file`.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "data/image/image.h"

namespace vitrail {

// Error(kData) if width x height is empty or over the limits: called before pixel memory is allocated.
void check_image_size(int64_t width, int64_t height, const std::string& file, const ImageLimits& limits);

bool is_png(std::span<const uint8_t> bytes);
Tensor decode_png(std::span<const uint8_t> bytes, const std::string& file, const ImageLimits& limits, std::string* note);

bool is_netpbm(std::span<const uint8_t> bytes);
Tensor decode_netpbm(std::span<const uint8_t> bytes, const std::string& file, const ImageLimits& limits);

// u8 [1 or 3, H, W] from u8 [H, W, C]: grey, grey and alpha, RGB, or RGB and alpha. Alpha is composited as image.h says.
Tensor flattened(const Tensor& interleaved, std::string* note);

}  // namespace vitrail
