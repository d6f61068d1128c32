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
Tensor decode_png(std::span<const uint8_t> bytes, const std::string& file, const ImageLimits& limits);

bool is_netpbm(std::span<const uint8_t> bytes);
Tensor decode_netpbm(std::span<const uint8_t> bytes, const std::string& file, const ImageLimits& limits);

// u8 [C, H, W] from samples in the order of pixels (H, W, C).
Tensor from_interleaved(const uint8_t* samples, int64_t channels, int64_t height, int64_t width);

}  // namespace vitrail
