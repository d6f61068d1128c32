// WebP through libwebp.
#include <webp/decode.h>

#include <cstdlib>
#include <cstring>
#include <vector>

#include "base/error.h"
#include "data/image/image_formats.h"

namespace vitrail {
namespace {

// Lossless pictures are decoded in memory of libwebp's own, four bytes a pixel.
constexpr int64_t kLosslessMemory = int64_t{48} << 20, kLosslessPerByte = 256;

uint32_t little_endian(std::span<const uint8_t> bytes, size_t at) {
  return static_cast<uint32_t>(bytes[at]) | static_cast<uint32_t>(bytes[at + 1]) << 8 |
         static_cast<uint32_t>(bytes[at + 2]) << 16 | static_cast<uint32_t>(bytes[at + 3]) << 24;
}

// The content of the first chunk of a type: "RIFF" size "WEBP", then chunks of four letters, size and content, padded to even.
std::span<const uint8_t> chunk(std::span<const uint8_t> file, const char* type) {
  for (size_t at = 12; file.size() - at >= 8;) {
    const size_t size = little_endian(file, at + 4), rest = file.size() - at - 8;
    if (size > rest) return {};
    if (std::memcmp(file.data() + at, type, 4) == 0) return file.subspan(at + 8, size);
    if (size + size % 2 > rest) return {};
    at += 8 + size + size % 2;
  }
  return {};
}

int orientation_of(std::span<const uint8_t> file) {
  std::span<const uint8_t> exif = chunk(file, "EXIF");
  // Some writers put the head of a JPEG segment in front.
  if (exif.size() > 6 && std::memcmp(exif.data(), "Exif\0\0", 6) == 0) exif = exif.subspan(6);
  return exif_orientation(exif);
}

const char* reason(VP8StatusCode status) {
  switch (status) {
    case VP8_STATUS_OK: return "no error";
    case VP8_STATUS_OUT_OF_MEMORY: return "it asks for more memory than it should";
    case VP8_STATUS_BITSTREAM_ERROR: return "the bits make no sense";
    case VP8_STATUS_UNSUPPORTED_FEATURE: return "an unknown feature";
    case VP8_STATUS_NOT_ENOUGH_DATA: return "the file ends early";
    default: return "not decoded";
  }
}

// libwebp from 1.3 on says "out of memory" of some damaged files too. Whether there is memory shows by asking for some.
bool memory_is_out() {
  constexpr size_t kSome = size_t{16} << 20;
  void* volatile some = std::malloc(kSome);  // volatile: a compiler may leave out a malloc that is freed at once
  std::free(some);
  return some == nullptr;
}

void check_status(VP8StatusCode status, const std::string& file) {
  check(status != VP8_STATUS_OUT_OF_MEMORY || !memory_is_out(), ErrorKind::kMemory, "image", file, ": libwebp has no memory");
  check(status == VP8_STATUS_OK, ErrorKind::kData, "image", file, ": damaged WebP: ", reason(status));
}

WebPDecoderConfig new_config() {
  WebPDecoderConfig config;
  check(WebPInitDecoderConfig(&config) != 0, ErrorKind::kValue, "image", "libwebp is of another version than its header");
  return config;
}

// Decoded to one pixel: whether the file is whole, without memory for its pixels.
void try_webp(std::span<const uint8_t> bytes, const std::string& file) {
  WebPDecoderConfig config = new_config();
  uint8_t pixel[4];
  config.options.use_scaling = 1;
  config.options.scaled_width = config.options.scaled_height = 1;
  config.output.colorspace = MODE_RGBA;
  config.output.is_external_memory = 1;
  config.output.u.RGBA = {pixel, 4, sizeof pixel};
  check_status(WebPDecode(bytes.data(), bytes.size(), &config), file);
}

}  // namespace

bool is_webp(std::span<const uint8_t> bytes) {
  return bytes.size() >= 12 && std::memcmp(bytes.data(), "RIFF", 4) == 0 && std::memcmp(bytes.data() + 8, "WEBP", 4) == 0;
}

Tensor decode_webp(std::span<const uint8_t> bytes, const std::string& file, const DecodeOptions& options, std::string* note) {
  WebPDecoderConfig config = new_config();
  check_status(WebPGetFeatures(bytes.data(), bytes.size(), &config.input), file);
  const int64_t width = config.input.width, height = config.input.height, channels = config.input.has_alpha ? 4 : 3;
  check_image_size(width, height, file, options.limits);
  check(config.input.has_animation == 0, ErrorKind::kData, "image", file,
        ": an animated WebP, which is not supported. Hint: convert one of its pictures to PNG.");
  const auto size = static_cast<int64_t>(bytes.size());
  constexpr int kLossless = 2;
  check(config.input.format != kLossless || 4 * width * height <= kLosslessMemory + kLosslessPerByte * size, ErrorKind::kData,
        "image", file, ": a lossless WebP of ", size, " bytes that would need ", 4 * width * height, " bytes of memory for ",
        width, " x ", height, " pixels");
  if (width * height * channels > size + kTrusted) try_webp(bytes, file);
  Tensor interleaved = empty({height, width, channels}, Dtype::u8, "image");
  config.output.colorspace = channels == 4 ? MODE_RGBA : MODE_RGB;
  config.output.is_external_memory = 1;
  config.output.u.RGBA = {interleaved.mutable_data<uint8_t>(), static_cast<int>(width * channels),
                          static_cast<size_t>(interleaved.numel())};
  check_status(WebPDecode(bytes.data(), bytes.size(), &config), file);
  const Tensor image = flattened(interleaved, options.alpha, note);
  return options.apply_orientation ? upright(image, orientation_of(bytes)) : image;
}

}  // namespace vitrail
