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
Tensor decode_png(std::span<const uint8_t> bytes, const std::string& file, const DecodeOptions& options, std::string* note);

bool is_jpeg(std::span<const uint8_t> bytes);
Tensor decode_jpeg(std::span<const uint8_t> bytes, const std::string& file, const DecodeOptions& options, std::string* note);

bool is_webp(std::span<const uint8_t> bytes);
Tensor decode_webp(std::span<const uint8_t> bytes, const std::string& file, const DecodeOptions& options, std::string* note);

bool is_bmp(std::span<const uint8_t> bytes);
Tensor decode_bmp(std::span<const uint8_t> bytes, const std::string& file, const DecodeOptions& options, std::string* note);

bool is_netpbm(std::span<const uint8_t> bytes);
Tensor decode_netpbm(std::span<const uint8_t> bytes, const std::string& file, const DecodeOptions& options, std::string* note);

// u8 [1 or 3, H, W] from u8 [H, W, C]: grey, grey and alpha, RGB, or RGB and alpha, by the rule of transparency.
Tensor flattened(const Tensor& interleaved, AlphaRule rule, std::string* note);

// A file is decoded once without keeping its pixels if these would take more than so many bytes beyond its own size: whether it
// is whole is seen before memory is taken.
constexpr int64_t kTrusted = int64_t{32} << 20;

// The orientation in an EXIF block (a TIFF file, tag 0x112 of its first directory): 1 to 8, Exif 2.3 section 4.6.4. 1 (upright)
// if the block is broken or has none.
int exif_orientation(std::span<const uint8_t> tiff);

// u8 [C, H, W] of an orientation turned upright: [C, H, W], or [C, W, H] for 5 to 8.
Tensor upright(const Tensor& image, int orientation);

}  // namespace vitrail
