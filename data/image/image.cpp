#include "data/image/image.h"

#include <algorithm>
#include <cstring>

#include "base/file.h"
#include "data/image/image_formats.h"
#include "tensor/view.h"

namespace vitrail {
namespace {

bool begins_with(std::span<const uint8_t> bytes, const char* text, size_t at = 0) {
  const size_t length = std::strlen(text);
  return bytes.size() >= at + length && std::memcmp(bytes.data() + at, text, length) == 0;
}

// What a file of a format that is not decoded is; empty if that is not known either.
const char* foreign_format(std::span<const uint8_t> bytes) {
  if (begins_with(bytes, "GIF8")) return "GIF";
  if (begins_with(bytes, "II*") || begins_with(bytes, "MM")) return "TIFF";
  if (begins_with(bytes, "ftypavif", 4) || begins_with(bytes, "ftypavis", 4)) return "AVIF";
  if (begins_with(bytes, "ftyphei", 4) || begins_with(bytes, "ftypmif1", 4)) return "HEIC";
  if (begins_with(bytes, "\xff\x0a") || begins_with(bytes, "JXL ", 4)) return "JPEG XL";
  return "";
}

struct Format {
  bool (*is)(std::span<const uint8_t> head);
  Tensor (*decode)(std::span<const uint8_t> bytes, const std::string& file, const DecodeOptions& options, std::string* note);
};
constexpr Format kFormats[] = {
    {is_png, decode_png}, {is_jpeg, decode_jpeg}, {is_webp, decode_webp}, {is_bmp, decode_bmp}, {is_netpbm, decode_netpbm}};

void check_planes(const Tensor& image, const char* op) {
  check(image.defined() && image.dtype() == Dtype::u8 && image.dim() == 3, ErrorKind::kShape, op,
        "needs a u8 image [C, H, W]: it is ", image.defined() ? name_of(image.dtype()) : "undefined", " ", image.shape());
}

}  // namespace

void check_image_size(int64_t width, int64_t height, const std::string& file, const ImageLimits& limits) {
  check(width >= 1 && height >= 1, ErrorKind::kData, "image", file, ": an image needs pixels: it is ", width, " x ", height);
  check(width <= limits.max_side && height <= limits.max_side, ErrorKind::kData, "image", file, ": too large: it is ", width,
        " x ", height, ", the limit is ", limits.max_side, " a side");
  check(width <= limits.max_pixels / height, ErrorKind::kData, "image", file, ": too many pixels: it is ", width, " x ", height,
        ", the limit is ", limits.max_pixels);
}

bool is_image(std::span<const uint8_t> head) {
  return std::any_of(std::begin(kFormats), std::end(kFormats), [&](const Format& format) { return format.is(head); });
}

Tensor decode_image(std::span<const uint8_t> bytes, const std::string& name, const DecodeOptions& options, std::string* note) {
  std::string unread;
  note = note ? note : &unread;
  note->clear();
  const std::string file = escaped_path(name);
  check(!bytes.empty(), ErrorKind::kData, "image", file, ": the file is empty");
  for (const Format& format : kFormats) {
    if (format.is(bytes)) return format.decode(bytes, file, options, note);
  }
  const char* format = foreign_format(bytes);
  check(*format == 0, ErrorKind::kData, "image", file, ": this is a ", format,
        " file, which is not supported. Hint: convert it to JPEG or PNG.");
  fail(ErrorKind::kData, "image", file, ": not a picture of a known format (PNG, JPEG, WebP, BMP, PGM, PPM): it begins with '",
       escaped(std::string(bytes.begin(), bytes.begin() + std::min<size_t>(bytes.size(), 8))), "'");
}

Tensor read_image(const std::string& path, const DecodeOptions& options, std::string* note) {
  constexpr int64_t kMost = int64_t{1} << 30;
  const InputFile file(path);
  check(file.size() <= kMost, ErrorKind::kData, "image", escaped_path(path), ": too large: ", file.size(), " bytes, at most ",
        kMost);
  Tensor bytes = empty({file.size()}, Dtype::u8, "image");  // a tensor, so that it counts against the limit of memory
  uint8_t* data = bytes.mutable_data<uint8_t>();
  file.read_at(0, data, file.size());
  return decode_image({data, static_cast<size_t>(file.size())}, path, options, note);
}

void write_png(const std::string& path, const Tensor& image) {
  const std::vector<uint8_t> bytes = encode_png(image);
  write_file_atomically(path, {std::span<const uint8_t>(bytes)});
}

Tensor contact_sheet(const Tensor& images, int64_t columns, int64_t gap) {
  check(images.defined() && images.dtype() == Dtype::u8 && images.dim() == 4 && images.numel() > 0, ErrorKind::kShape,
        "contact_sheet", "needs u8 images [N, C, H, W]: they are ", images.shape());
  check(columns >= 1 && gap >= 0 && gap <= 1024, ErrorKind::kValue, "contact_sheet",
        "columns must be positive and gap in [0, 1024]: they are ", columns, ", ", gap);
  const int64_t count = images.size(0), height = images.size(2), width = images.size(3);
  columns = std::min(columns, count);
  const int64_t rows = (count + columns - 1) / columns;
  Tensor sheet = full({images.size(1), rows * (height + gap) - gap, columns * (width + gap) - gap}, 128, Dtype::u8);
  for (int64_t i = 0; i < count; ++i) {
    const int64_t top = i / columns * (height + gap), left = i % columns * (width + gap);
    copy_(slice(slice(sheet, 1, top, top + height), 2, left, left + width), select(images, 0, i));
  }
  return sheet;
}

Tensor convert_channels(const Tensor& image, int64_t channels) {
  check_planes(image, "convert_channels");
  const int64_t have = image.size(0);
  if (have == 2 || have == 4) return convert_channels(contiguous(slice(image, 0, 0, have - 1)), channels);
  check((have == 1 || have == 3) && (channels == 1 || channels == 3), ErrorKind::kShape, "convert_channels",
        "only between 1 and 3 channels: image is ", image.shape(), ", wanted are ", channels);
  if (have == channels) return image;
  if (have == 1) return contiguous(expand(image, {3, image.size(1), image.size(2)}));
  const Tensor planes = contiguous(image);
  const int64_t pixels = image.size(1) * image.size(2);
  const uint8_t *r = planes.data<uint8_t>(), *g = r + pixels, *b = g + pixels;
  Tensor grey = empty({1, image.size(1), image.size(2)}, Dtype::u8, "convert_channels");
  uint8_t* out = grey.mutable_data<uint8_t>();
  for (int64_t i = 0; i < pixels; ++i)
    out[i] = static_cast<uint8_t>((19595 * r[i] + 38470 * g[i] + 7471 * b[i] + 0x8000) >> 16);
  return grey;
}

}  // namespace vitrail
