// Pictures from and to files: read PNG, JPEG, WebP, BMP, PGM and PPM, write PNG.
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

// What becomes of transparency.
enum class AlphaRule {
  // The picture is laid on white, (c a + 255 (255 - a)) / 255 rounded; on black if every visible pixel is light (all samples at
  // least 192), which on white would not be seen. A drawing on a transparent canvas keeps its strokes.
  kCanvas,
  kWhite,  // always on white, as Hugging Face's do_convert_rgb
  kDrop,   // colours as they stand in the file, as timm and torchvision
  // Kept as a last channel until the picture is resized, where colours count by their alpha (premultiplied()), then dropped:
  // open_clip
  // resizes before it converts.
  kPremultiplied,
};

struct DecodeOptions {
  ImageLimits limits = {};
  AlphaRule alpha = AlphaRule::kCanvas;
  // Turn and mirror the picture as the EXIF orientation of JPEG, PNG and WebP files says, so that it stands upright. A broken
  // EXIF block counts as none.
  bool apply_orientation = true;
  // JPEG only: decode at 1/2, 1/4 or 1/8 of the size, whichever is the smallest whose short side still has so many pixels; 0:
  // whole.
  int64_t min_side = 0;
};

// u8 [C, H, W] with C = 1 (grey) or 3 (RGB). The format is told by the first bytes, never by the name; `name` stands in
// the messages.
// PNG: all colour types, bit depths and interlacing: palettes become RGB, 16-bit samples keep their high byte, 1, 2 and 4 bits
// are widened to the full range. JPEG: baseline and progressive, grey, YCbCr, RGB; CMYK and YCCK, taken as inverted, which all
// programs that write them do: R = C K / 255. A warning of the decoder counts as an error: it stands for pixels that were made
// up. Bytes behind the end of the picture, where telephones keep more data, are ignored. WebP: lossy and lossless, no
// animations. BMP: 1 to 32 bits, RLE4, RLE8 and bit fields. Netpbm: P2, P3, P5, P6 with maxval up to 65535, rescaled to 255
// with rounding; line ends CR LF after the header are taken as one white space where the file's length says so. A raw file (P5,
// P6) may hold more images: the first is read.
//
// `note`, if given, receives a warning, or "": a picture whose visible pixels are all of one colour, or have none, or a 16-bit
// picture that keeps to the darkest sixteenth.
// Error(kData) if the bytes are truncated, damaged, over the limits, or of another format (GIF, TIFF, HEIC, AVIF and Apple's
// CgBI by name); for PNG and Netpbm also if other bytes follow. A damaged file costs no more memory than its size and 64 MiB;
// SECURITY.md names the exceptions.
Tensor decode_image(std::span<const uint8_t> bytes, const std::string& name, const DecodeOptions& options = {},
                    std::string* note = nullptr);

// The same from a file. Error(kIo) if it cannot be read.
Tensor read_image(const std::string& path, const DecodeOptions& options = {}, std::string* note = nullptr);

// Whether a file that begins with these bytes (18 are enough) is of a format that decode_image reads.
bool is_image(std::span<const uint8_t> head);

// u8 [C, H, W], C = 1 or 3, as the bytes of a PNG file. Error(kShape) or Error(kValue) for any other tensor.
std::vector<uint8_t> encode_png(const Tensor& image);

// Writes encode_png(image) atomically: `path` holds either its old content or the whole picture. Error(kIo) otherwise.
void write_png(const std::string& path, const Tensor& image);

// Images of equal size u8 [N, C, H, W] side by side, `columns` in a row, `gap` grey pixels between them: a contact sheet
// u8 [C, H', W']. Error(kShape) or Error(kValue) for other tensors.
Tensor contact_sheet(const Tensor& images, int64_t columns, int64_t gap = 2);

// To one channel (ITU-R BT.601 luma, (19595 R + 38470 G + 7471 B) / 2^16 rounded, as in Pillow) or to three (grey repeated).
// u8 [C, H, W].
Tensor convert_channels(const Tensor& image, int64_t channels);
// 2 and 4 channels: an alpha channel is left out first.

// Pixels weighted by their alpha, and back: u8 [C + 1, H, W], the last channel alpha a, as Pillow's modes RGBA and RGBa:
//   premultiplied c a / 255, rounded;   without_alpha [C, H, W]: min(255, 255 c / a) rounded down, c where a is 0 or 255.
Tensor premultiplied(const Tensor& image);
Tensor without_alpha(const Tensor& premultiplied);

}  // namespace vitrail
