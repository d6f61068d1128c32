// PNG through libpng. libpng reports errors by longjmp: the functions that call setjmp hold no C++ object, so that none is
// left half destroyed; what must be freed belongs to PngReader, in the frame above.
#include <png.h>

#include <csetjmp>
#include <cstring>
#include <vector>

#include "base/error.h"
#include "data/image/image_formats.h"

namespace vitrail {
namespace {

constexpr int64_t kMaxExpansion = 1032;  // deflate cannot shrink more than this
constexpr png_alloc_size_t kMaxChunkMemory = 4'000'000;
constexpr png_uint_32 kMaxChunks = 128;

struct PngReader {
  png_structp png = nullptr;
  png_infop info = nullptr;
  const uint8_t* bytes = nullptr;
  size_t size = 0, position = 0;
  char message[160] = "";

  ~PngReader() { png_destroy_read_struct(&png, &info, nullptr); }
};

PngReader& reader_of(png_structp png) { return *static_cast<PngReader*>(png_get_error_ptr(png)); }

void keep_message(PngReader& reader, const char* text) { std::strncpy(reader.message, text, sizeof reader.message - 1); }

[[noreturn]] void on_error(png_structp png, png_const_charp text) {
  keep_message(reader_of(png), text);
  png_longjmp(png, 1);
}

// Damaged pixel data is an error, even where libpng would go on; oddities of other chunks do not touch the picture.
void on_warning(png_structp png, png_const_charp text) {
  if (std::strncmp(text, "IDAT", 4) == 0) on_error(png, text);
}

void on_read(png_structp png, png_bytep out, size_t count) {
  PngReader& reader = reader_of(png);
  if (count > reader.size - reader.position) png_error(png, "the file ends early");
  std::memcpy(out, reader.bytes + reader.position, count);
  reader.position += count;
}

// Everything up to the first pixel. False on error, with the reason in reader.message.
bool read_header(PngReader& reader, png_uint_32 max_side) {
  if (setjmp(png_jmpbuf(reader.png))) return false;
  png_set_user_limits(reader.png, max_side, max_side);
  png_set_chunk_cache_max(reader.png, kMaxChunks);
  png_set_chunk_malloc_max(reader.png, kMaxChunkMemory);
  png_set_read_fn(reader.png, nullptr, on_read);
  png_read_info(reader.png, reader.info);
  png_set_strip_16(reader.png);
  png_set_palette_to_rgb(reader.png);  // also widens 1, 2 and 4 bits of grey
  png_set_strip_alpha(reader.png);
  png_set_interlace_handling(reader.png);
  png_read_update_info(reader.png, reader.info);
  return true;
}

// All rows, and the chunks after them: a file that ends before its end mark is damaged.
bool read_rows(PngReader& reader, png_bytepp rows) {
  if (setjmp(png_jmpbuf(reader.png))) return false;
  png_read_image(reader.png, rows);
  png_read_end(reader.png, nullptr);
  return true;
}

}  // namespace

bool is_png(std::span<const uint8_t> bytes) { return bytes.size() >= 8 && png_sig_cmp(bytes.data(), 0, 8) == 0; }

Tensor decode_png(std::span<const uint8_t> bytes, const std::string& file, const ImageLimits& limits) {
  PngReader reader;
  reader.bytes = bytes.data();
  reader.size = bytes.size();
  reader.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &reader, on_error, on_warning);
  if (reader.png != nullptr) reader.info = png_create_info_struct(reader.png);
  check(reader.info != nullptr, ErrorKind::kMemory, "image", "libpng has no memory");
  // libpng's own refusal of a large side does not say the numbers; ours does.
  if (bytes.size() >= 24)
    check_image_size(png_get_uint_32(bytes.data() + 16), png_get_uint_32(bytes.data() + 20), file, limits);
  check(read_header(reader, static_cast<png_uint_32>(limits.max_side)), ErrorKind::kData, "image", file,
        ": damaged PNG: ", reader.message);

  const int64_t width = png_get_image_width(reader.png, reader.info), height = png_get_image_height(reader.png, reader.info);
  check_image_size(width, height, file, limits);
  const int64_t channels = png_get_channels(reader.png, reader.info);
  const int64_t row_bytes = checked_numel({width, channels}, "image"), total = checked_numel({height, row_bytes}, "image");
  check((channels == 1 || channels == 3) && static_cast<int64_t>(png_get_rowbytes(reader.png, reader.info)) == row_bytes,
        ErrorKind::kData, "image", file, ": PNG rows of an unexpected size: ", channels, " channels, ", width, " pixels");
  // One bit per pixel is the least that a file can store; a header that promises more than the bytes can hold is a lie.
  check(total / channels / 8 <= kMaxExpansion * static_cast<int64_t>(bytes.size()), ErrorKind::kData, "image", file, ": ",
        bytes.size(), " bytes cannot hold ", width, " x ", height, " pixels: the file ends early");

  std::vector<uint8_t> samples(total);
  std::vector<png_bytep> rows(height);
  for (int64_t y = 0; y < height; ++y) rows[y] = samples.data() + y * row_bytes;
  check(read_rows(reader, rows.data()), ErrorKind::kData, "image", file, ": damaged PNG: ", reader.message);
  return from_interleaved(samples.data(), channels, height, width);
}

std::vector<uint8_t> encode_png(const Tensor& image) {
  check(image.defined() && image.dtype() == Dtype::u8, ErrorKind::kValue, "encode_png", "needs a u8 image");
  check(image.dim() == 3 && (image.size(0) == 1 || image.size(0) == 3) && image.numel() > 0, ErrorKind::kShape, "encode_png",
        "needs [1, H, W] or [3, H, W]: image is ", image.shape());
  const Tensor planes = contiguous(image);
  const int64_t channels = image.size(0), pixels = image.size(1) * image.size(2);
  std::vector<uint8_t> samples(image.numel());
  for (int64_t c = 0; c < channels; ++c) {
    for (int64_t i = 0; i < pixels; ++i) samples[i * channels + c] = planes.data<uint8_t>()[c * pixels + i];
  }
  png_image description{};
  description.version = PNG_IMAGE_VERSION;
  description.width = static_cast<png_uint_32>(image.size(2));
  description.height = static_cast<png_uint_32>(image.size(1));
  description.format = channels == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
  png_alloc_size_t size = 0;
  bool ok = png_image_write_to_memory(&description, nullptr, &size, 0, samples.data(), 0, nullptr) != 0;
  std::vector<uint8_t> bytes(ok ? size : 0);
  ok = ok && png_image_write_to_memory(&description, bytes.data(), &size, 0, samples.data(), 0, nullptr) != 0;
  check(ok, ErrorKind::kValue, "encode_png", "libpng refuses the image ", image.shape(), ": ", description.message);
  bytes.resize(size);
  return bytes;
}

}  // namespace vitrail
