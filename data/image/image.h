// Pictures from and to files: PNG, and the Netpbm formats PGM and PPM.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tensor/tensor.h"

namespace vitrail {

// Refused before any pixel memory is allocated.
struct ImageLimits {
  int64_t max_side = 16384;
  int64_t max_pixels = int64_t{1} << 26;
};

// u8 [C, H, W] with C = 1 (grey) or 3 (RGB). The format is told by the first bytes, never by the name; `name` stands in
// the messages. All PNG colour types, bit depths and interlacing: palettes become RGB, 16-bit samples keep their high byte,
// 1, 2 and 4 bits are widened to the full range.
// Transparency: the picture is laid on white, (c a + 255 (255 - a)) / 255 rounded; on black if every visible pixel is light
// (all samples at least 192), which on white would not be seen. A drawing on a transparent canvas keeps its strokes.
// Netpbm: P2, P3, P5, P6 with maxval up to 65535, rescaled to 255 with rounding; line ends CR LF after the header are taken as
// one white space where the file's length says so. A raw file (P5, P6) may hold more images: the first is read.
//
// `note`, if given, receives a warning, or "": a picture whose visible pixels are all of one colour, or have none, or a 16-bit
// picture that keeps to the darkest sixteenth.
// Error(kData) if the bytes are truncated, damaged, followed by others, over the limits, or of another format (JPEG, GIF, BMP,
// WebP and Apple's CgBI by name).
// A damaged file costs no more memory than its size and 64 MiB.
Tensor decode_image(std::span<const uint8_t> bytes, const std::string& name, const ImageLimits& limits = {},
                    std::string* note = nullptr);

// The same from a file. Error(kIo) if it cannot be read.
Tensor read_image(const std::string& path, const ImageLimits& limits = {}, std::string* note = nullptr);

// u8 [C, H, W], C = 1 or 3, as the bytes of a PNG file. Error(kShape) or Error(kValue) for any other tensor.
std::vector<uint8_t> encode_png(const Tensor& image);

// Writes encode_png(image) atomically: `path` holds either its old content or the whole picture. Error(kIo) otherwise.
void write_png(const std::string& path, const Tensor& image);

// Images of equal size u8 [N, C, H, W] side by side, `columns` in a row, `gap` grey pixels between them: a contact sheet
// u8 [C, H', W']. Error(kShape) or Error(kValue) for other tensors.
Tensor contact_sheet(const Tensor& images, int64_t columns, int64_t gap = 2);

// To one channel (ITU-R BT.601 luma, (299 R + 587 G + 114 B) / 1000 rounded) or to three (grey repeated). u8 [C, H, W].
Tensor convert_channels(const Tensor& image, int64_t channels);

}  // namespace vitrail
