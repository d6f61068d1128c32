// PNG through libpng. libpng reports errors by longjmp: the functions that call setjmp hold no C++ object, so that none is
// left half destroyed; what must be freed belongs to PngReader, in the frame above.
#include <png.h>

#include <algorithm>
#include <csetjmp>
#include <cstring>
#include <vector>

#include "base/error.h"
#include "base/text.h"
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
  int passes = 1;
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
  // libpng only warns of a chunk that is over our limit once it is decompressed.
  if (std::strncmp(text, "IDAT", 4) == 0 || std::strstr(text, "too large") != nullptr) on_error(png, text);
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
  png_set_expand(reader.png);  // palettes to RGB, 1, 2 and 4 bits to 8, transparent colours to alpha
  reader.passes = png_set_interlace_handling(reader.png);
  png_read_update_info(reader.png, reader.info);
  return true;
}

// All rows, row y to rows + y * stride (a stride of 0 keeps none of them), and the chunks after them: a file that ends before
// its end mark is damaged.
bool read_rows(PngReader& reader, png_bytep rows, size_t stride, png_uint_32 height) {
  if (setjmp(png_jmpbuf(reader.png))) return false;
  for (int pass = 0; pass < reader.passes; ++pass) {
    for (png_uint_32 y = 0; y < height; ++y) png_read_row(reader.png, rows + y * stride, nullptr);
  }
  png_read_end(reader.png, reader.info);  // an EXIF block may stand behind the pixels
  return true;
}

struct Layout {
  int64_t width = 0, height = 0, channels = 0;
};

// Starts reading: the layout of the rows that read_rows will give.
Layout open_png(PngReader& reader, std::span<const uint8_t> bytes, const std::string& file, const ImageLimits& limits) {
  reader.bytes = bytes.data();
  reader.size = bytes.size();
  reader.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &reader, on_error, on_warning);
  if (reader.png != nullptr) reader.info = png_create_info_struct(reader.png);
  check(reader.info != nullptr, ErrorKind::kMemory, "image", "libpng has no memory");
  check(read_header(reader, static_cast<png_uint_32>(limits.max_side)), ErrorKind::kData, "image", file,
        ": damaged PNG: ", reader.message);
  const Layout p{png_get_image_width(reader.png, reader.info), png_get_image_height(reader.png, reader.info),
                 png_get_channels(reader.png, reader.info)};
  check_image_size(p.width, p.height, file, limits);
  check(p.channels >= 1 && p.channels <= 4 &&
            static_cast<int64_t>(png_get_rowbytes(reader.png, reader.info)) == p.width * p.channels,
        ErrorKind::kData, "image", file, ": PNG rows of an unexpected size: ", p.channels, " channels, ", p.width, " pixels");
  // One bit per pixel is the least that a file can store; a header that promises more than the bytes can hold is a lie.
  check(p.width * p.height / 8 <= kMaxExpansion * static_cast<int64_t>(bytes.size()), ErrorKind::kData, "image", file, ": ",
        bytes.size(), " bytes cannot hold ", p.width, " x ", p.height, " pixels: the file ends early");
  return p;
}

// Reads all rows, into `rows` or nowhere, and makes sure that the file ends with the picture.
void finish_png(PngReader& reader, const Layout& p, uint8_t* rows, const std::string& file) {
  std::vector<uint8_t> dropped(rows ? 0 : static_cast<size_t>(p.width * p.channels));
  const size_t stride = rows ? static_cast<size_t>(p.width * p.channels) : 0;
  check(read_rows(reader, rows ? rows : dropped.data(), stride, static_cast<png_uint_32>(p.height)), ErrorKind::kData, "image",
        file, ": damaged PNG: ", reader.message);
  check(reader.position == reader.size, ErrorKind::kData, "image", file, ": ", reader.size - reader.position,
        " bytes follow the end of the picture");
}

// Of a file that was read to its end.
int orientation_of(PngReader& reader) {
#ifdef PNG_eXIf_SUPPORTED
  png_bytep exif = nullptr;
  png_uint_32 size = 0;
  if (png_get_eXIf_1(reader.png, reader.info, &size, &exif) != 0) return exif_orientation({exif, size});
#endif
  static_cast<void>(reader);
  return 1;
}

// What is known from the first bytes: the form that Apple's tools give to PNG files, and sides over the limits (libpng's own
// refusal does not say the numbers).
void check_first_chunk(std::span<const uint8_t> bytes, const std::string& file, const ImageLimits& limits) {
  if (bytes.size() < 24) return;
  const char* type = reinterpret_cast<const char*>(bytes.data()) + 12;
  check(std::strncmp(type, "CgBI", 4) != 0, ErrorKind::kData, "image", file,
        ": this is a CgBI file, a PNG that Apple's tools changed for iPhones, which is not supported. Hint: convert it with "
        "pngcrush -revert-iphone-optimizations.");
  if (std::strncmp(type, "IHDR", 4) != 0) return;
  check_image_size(png_get_uint_32(bytes.data() + 16), png_get_uint_32(bytes.data() + 20), file, limits);
}

// Chunks beside the picture are held to our limit here: what libpng says of one over it, and whether it takes the memory that
// the chunk claims, differs from version to version.
void check_chunk_sizes(std::span<const uint8_t> bytes, const std::string& file) {
  constexpr size_t kSignature = 8, kFrame = 12;  // of a chunk: its length, its type, its checksum
  for (size_t at = kSignature; at + 8 <= bytes.size();) {
    const png_uint_32 length = png_get_uint_32(bytes.data() + at);
    const std::string type(reinterpret_cast<const char*>(bytes.data()) + at + 4, 4);
    const bool beside = (type[0] & 0x20) != 0;  // the bit by which PNG marks a chunk that a reader may leave out
    check(!beside || length <= kMaxChunkMemory, ErrorKind::kData, "image", file, ": damaged PNG: chunk ", escaped(type), " of ",
          length, " bytes is too large: at most ", kMaxChunkMemory);
    if (type == "IEND") return;
    at += kFrame + length;
  }
}

}  // namespace

bool is_png(std::span<const uint8_t> bytes) { return bytes.size() >= 8 && png_sig_cmp(bytes.data(), 0, 8) == 0; }

Tensor decode_png(std::span<const uint8_t> bytes, const std::string& file, const DecodeOptions& options, std::string* note) {
  const ImageLimits& limits = options.limits;
  check_first_chunk(bytes, file, limits);
  check_chunk_sizes(bytes, file);
  PngReader reader;
  const Layout p = open_png(reader, bytes, file, limits);
  if (p.width * p.height * p.channels > static_cast<int64_t>(bytes.size()) + kTrusted) {
    // A small file of a large picture: whether it is whole is seen before memory is taken for the pixels.
    PngReader trial;
    open_png(trial, bytes, file, limits);
    finish_png(trial, p, nullptr, file);
  }
  Tensor interleaved = empty({p.height, p.width, p.channels}, Dtype::u8, "image");
  uint8_t* samples = interleaved.mutable_data<uint8_t>();
  finish_png(reader, p, samples, file);
  const Tensor image = flattened(interleaved, options.alpha, note);
  constexpr size_t kDepthAt = 24;
  const bool dark = bytes[kDepthAt] == 16 && *std::max_element(samples, samples + interleaved.numel()) < 16;
  if (dark && note->empty()) *note = "a 16-bit picture that keeps to the darkest sixteenth: it is nearly black";
  return options.apply_orientation ? upright(image, orientation_of(reader)) : image;
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
