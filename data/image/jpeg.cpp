// JPEG through libjpeg-turbo. It reports errors by calling a function that must not return: ours jumps. The functions that call
// setjmp hold no C++ object, so that none is left half destroyed; what must be freed belongs to JpegReader, in the frame above.
#include <cstdio>  // jpeglib.h needs it, and size_t

#include <jpeglib.h>

#include <jerror.h>

#include <algorithm>
#include <csetjmp>
#include <cstring>
#include <vector>

#include "base/error.h"
#include "data/image/image_formats.h"

namespace vitrail {
namespace {

constexpr int kMaxScans = 100;  // each goes over the whole picture: a file of some bytes a scan could ask for hours
constexpr int64_t kCoefficientMemory = int64_t{48} << 20, kCoefficientsPerByte = 64;

struct JpegReader {
  jpeg_decompress_struct info = {};
  jpeg_error_mgr errors = {};
  jpeg_progress_mgr progress = {};
  std::jmp_buf jump;
  bool created = false, header_read = false;
  unsigned components_seen = 0;  // a bit for each component whose DC coefficients some scan has brought
  char message[JMSG_LENGTH_MAX] = "";

  JpegReader() = default;
  JpegReader(const JpegReader&) = delete;
  JpegReader& operator=(const JpegReader&) = delete;
  ~JpegReader() {
    if (created) jpeg_destroy_decompress(&info);
  }
};

JpegReader& reader_of(j_common_ptr info) { return *static_cast<JpegReader*>(info->client_data); }

[[noreturn]] void stop(JpegReader& reader, const char* message) {
  std::strncpy(reader.message, message, sizeof reader.message - 1);
  std::longjmp(reader.jump, 1);
}

[[noreturn]] void on_error(j_common_ptr info) {
  JpegReader& reader = reader_of(info);
  info->err->format_message(info, reader.message);
  std::longjmp(reader.jump, 1);
}

// Level -1 is a warning: libjpeg went on with pixels that it made up. Stray bytes between the segments of the header touch
// none, nor do a few between the last pixel and the end mark; many would be the rest of a picture whose header was changed.
void on_message(j_common_ptr info, int level) {
  constexpr int kEndMark = 0xd9, kFew = 16;
  const jpeg_error_mgr& e = *info->err;
  const bool at_the_end = e.msg_parm.i[0] <= kFew && e.msg_parm.i[1] == kEndMark;
  const bool harmless = e.msg_code == JWRN_EXTRANEOUS_DATA && (!reader_of(info).header_read || at_the_end);
  if (level < 0 && !harmless) on_error(info);
}

void on_progress(j_common_ptr common) {
  JpegReader& reader = reader_of(common);
  const jpeg_decompress_struct& info = reader.info;
  if (info.input_scan_number > kMaxScans) stop(reader, "more than 100 scans");
  if (info.Ss != 0) return;
  for (int i = 0; i < info.comps_in_scan; ++i) reader.components_seen |= 1u << info.cur_comp_info[i]->component_index;
}

// Everything up to the first scan. False on error, with the reason in reader.message.
bool read_header(JpegReader& reader, const uint8_t* bytes, unsigned long size) {
  jpeg_decompress_struct& info = reader.info;
  info.err = jpeg_std_error(&reader.errors);
  info.client_data = &reader;
  reader.errors.error_exit = on_error;
  reader.errors.emit_message = on_message;
  if (setjmp(reader.jump)) return false;
  jpeg_create_decompress(&info);
  reader.created = true;
  reader.progress.progress_monitor = on_progress;
  info.progress = &reader.progress;
  jpeg_mem_src(&info, const_cast<uint8_t*>(bytes), size);
  jpeg_save_markers(&info, JPEG_APP0 + 1, 0xffff);
  jpeg_read_header(&info, TRUE);
  reader.header_read = true;
  return true;
}

// R = C K / 255, as Pillow rounds it.
uint8_t ink(int colour, int black) {
  const int t = (255 - colour) * black + 128;
  return static_cast<uint8_t>(black - ((t + (t >> 8)) >> 8));
}

struct Planes {
  uint8_t* first;  // null: pixels are dropped
  int64_t plane;   // bytes between two planes
};

void put_row(const uint8_t* row, int64_t width, int components, uint8_t* to, int64_t plane) {
  if (components == 1) std::copy(row, row + width, to);
  for (int64_t x = 0; x < width && components == 3; ++x) {
    for (int c = 0; c < 3; ++c) to[c * plane + x] = row[3 * x + c];
  }
  for (int64_t x = 0; x < width && components == 4; ++x) {
    for (int c = 0; c < 3; ++c) to[c * plane + x] = ink(row[4 * x + c], row[4 * x + 3]);
  }
}

// All rows, through the buffer `row` into planes, and the rest of the file up to its end mark.
bool read_rows(JpegReader& reader, uint8_t* row, Planes planes) {
  jpeg_decompress_struct& info = reader.info;
  if (setjmp(reader.jump)) return false;
  jpeg_start_decompress(&info);
  while (info.output_scanline < info.output_height) {
    const int64_t y = info.output_scanline;
    jpeg_read_scanlines(&info, &row, 1);
    if (planes.first)
      put_row(row, info.output_width, info.output_components, planes.first + y * info.output_width, planes.plane);
  }
  jpeg_finish_decompress(&info);
  return true;
}

struct Layout {
  int64_t width = 0, height = 0, channels = 0;  // of the decoded picture
  int components = 0;                           // of a decoded row
  int orientation = 1;
};

J_COLOR_SPACE decoded_space(J_COLOR_SPACE stored, const std::string& file, int components) {
  switch (stored) {
    case JCS_GRAYSCALE: return JCS_GRAYSCALE;
    case JCS_YCbCr:
    case JCS_RGB: return JCS_RGB;
    case JCS_CMYK:
    case JCS_YCCK: return JCS_CMYK;
    default: break;
  }
  fail(ErrorKind::kData, "image", file, ": a JPEG of ", components, " components in an unknown colour space");
}

// Whether the bytes can hold what the header promises, and whether the coefficients, which a file of several scans keeps in
// memory, stay within bounds.
void check_promise(const jpeg_decompress_struct& info, size_t size, const std::string& file) {
  const auto bytes = static_cast<int64_t>(size);
  int64_t blocks = 0;
  for (int c = 0; c < info.num_components; ++c)
    blocks += static_cast<int64_t>(info.comp_info[c].width_in_blocks) * info.comp_info[c].height_in_blocks;
  // A block takes at least a bit for its mean and one for its end.
  const bool sequential = !info.progressive_mode && !info.arith_code;
  check(!sequential || blocks / 4 <= bytes, ErrorKind::kData, "image", file, ": ", bytes, " bytes cannot hold ",
        info.image_width, " x ", info.image_height, " pixels: the file ends early");
  if (!info.progressive_mode && info.comps_in_scan == info.num_components) return;
  const int64_t memory = blocks * DCTSIZE2 * static_cast<int64_t>(sizeof(JCOEF));
  check(memory <= kCoefficientMemory + kCoefficientsPerByte * bytes, ErrorKind::kData, "image", file, ": ", bytes,
        " bytes that would need ", memory, " bytes of memory for ", info.image_width, " x ", info.image_height,
        " pixels in several scans");
}

// The largest of 1, 2, 4, 8 that leaves the short side min_side pixels.
unsigned divisor(int64_t width, int64_t height, int64_t min_side) {
  unsigned result = 1;
  while (min_side > 0 && result < 8 && std::min(width, height) / (2 * result) >= min_side) result *= 2;
  return result;
}

// Of the header: libjpeg forgets its markers at the end of the picture.
int orientation_of(const JpegReader& reader) {
  for (const jpeg_marker_struct* marker = reader.info.marker_list; marker != nullptr; marker = marker->next) {
    constexpr char kExif[] = {'E', 'x', 'i', 'f', 0, 0};
    if (marker->data_length > sizeof kExif && std::memcmp(marker->data, kExif, sizeof kExif) == 0)
      return exif_orientation({marker->data + sizeof kExif, marker->data_length - sizeof kExif});
  }
  return 1;
}

Layout open_jpeg(JpegReader& reader, std::span<const uint8_t> bytes, const std::string& file, const DecodeOptions& options) {
  check(read_header(reader, bytes.data(), bytes.size()), ErrorKind::kData, "image", file, ": damaged JPEG: ", reader.message);
  jpeg_decompress_struct& info = reader.info;
  check_image_size(info.image_width, info.image_height, file, options.limits);
  info.out_color_space = decoded_space(info.jpeg_color_space, file, info.num_components);
  check_promise(info, bytes.size(), file);
  // The limit above, with room for the padding of each component.
  info.mem->max_memory_to_use = kCoefficientMemory + kCoefficientsPerByte * static_cast<int64_t>(bytes.size()) + (1 << 24);
  info.dct_method = JDCT_ISLOW;
  info.scale_num = 1;
  info.scale_denom = divisor(info.image_width, info.image_height, options.min_side);
  const unsigned d = info.scale_denom;
  const int components = info.out_color_space == JCS_GRAYSCALE ? 1 : info.out_color_space == JCS_RGB ? 3 : 4;
  return {(info.image_width + d - 1) / d, (info.image_height + d - 1) / d, components == 1 ? 1 : 3, components,
          orientation_of(reader)};
}

// Reads all rows, into `planes` or nowhere.
void finish_jpeg(JpegReader& reader, const Layout& p, Planes planes, const std::string& file) {
  const bool several_scans = jpeg_has_multiple_scans(&reader.info) != 0;
  std::vector<uint8_t> row(static_cast<size_t>(p.width * p.components));
  check(read_rows(reader, row.data(), planes), ErrorKind::kData, "image", file, ": damaged JPEG: ", reader.message);
  check(
      static_cast<int64_t>(reader.info.output_width) == p.width && static_cast<int64_t>(reader.info.output_height) == p.height,
      ErrorKind::kData, "image", file, ": JPEG rows of an unexpected size: ", reader.info.output_width, " x ",
      reader.info.output_height);
  check(!several_scans || reader.components_seen == (1u << reader.info.num_components) - 1, ErrorKind::kData, "image", file,
        ": damaged JPEG: a colour has no scan");
}

}  // namespace

bool is_jpeg(std::span<const uint8_t> bytes) {
  return bytes.size() >= 3 && bytes[0] == 0xff && bytes[1] == 0xd8 && bytes[2] == 0xff;
}

Tensor decode_jpeg(std::span<const uint8_t> bytes, const std::string& file, const DecodeOptions& options,
                   std::string* /*note*/) {
  JpegReader reader;
  const Layout p = open_jpeg(reader, bytes, file, options);
  if (p.width * p.height * p.channels > static_cast<int64_t>(bytes.size()) + kTrusted) {
    JpegReader trial;
    open_jpeg(trial, bytes, file, options);
    finish_jpeg(trial, p, {nullptr, 0}, file);
  }
  Tensor image = empty({p.channels, p.height, p.width}, Dtype::u8, "image");
  finish_jpeg(reader, p, {image.mutable_data<uint8_t>(), p.width * p.height}, file);
  return options.apply_orientation ? upright(image, p.orientation) : image;
}

}  // namespace vitrail
