// BMP: a file header of 14 bytes, an information header that begins with its own size, a palette, rows from below in multiples
// of four bytes. Microsoft, "Bitmap Storage"; OS/2's header of 12 bytes is the oldest form.
#include <algorithm>
#include <array>
#include <bit>
#include <vector>

#include "base/error.h"
#include "data/image/image_formats.h"

namespace vitrail {
namespace {

enum Compression : uint32_t { kRgb = 0, kRle8 = 1, kRle4 = 2, kBitFields = 3, kAlphaBitFields = 6 };

// Bounded reads of little-endian numbers.
class Bytes {
 public:
  Bytes(std::span<const uint8_t> bytes, const std::string& file) : bytes_(bytes), file_(file) {}

  uint32_t number(size_t at, int count) const {
    need(at, static_cast<size_t>(count));
    uint32_t value = 0;
    for (int i = count - 1; i >= 0; --i) value = value << 8 | bytes_[at + static_cast<size_t>(i)];
    return value;
  }
  std::span<const uint8_t> part(size_t at, size_t count) const {
    need(at, count);
    return bytes_.subspan(at, count);
  }
  size_t size() const { return bytes_.size(); }
  const std::string& file() const { return file_; }

 private:
  void need(size_t at, size_t count) const {
    check(at <= bytes_.size() && count <= bytes_.size() - at, ErrorKind::kData, "image", file_,
          ": damaged BMP: the file ends early");
  }

  std::span<const uint8_t> bytes_;
  const std::string& file_;
};

using Colour = std::array<uint8_t, 3>;

struct Header {
  int64_t width = 0, height = 0;
  bool from_above = false;
  uint32_t bits = 0, compression = kRgb;
  size_t pixels_at = 0;
  std::array<uint32_t, 4> masks{};  // of red, green, blue, alpha
  std::vector<Colour> palette;
};

void read_masks(const Bytes& b, size_t header_size, Header& h) {
  if (h.compression == kBitFields || h.compression == kAlphaBitFields) {
    // Behind the oldest header of 40 bytes, within the longer ones, they stand at the same place.
    for (size_t c = 0; c < 3; ++c) h.masks[c] = b.number(54 + 4 * c, 4);
    if (header_size >= 56 || h.compression == kAlphaBitFields) h.masks[3] = b.number(66, 4);
  } else if (h.bits == 16) {
    h.masks = {0x7c00, 0x3e0, 0x1f, 0};
  } else {
    h.masks = {0xff0000, 0xff00, 0xff, 0};
  }
  uint32_t seen = 0;
  for (const uint32_t mask : h.masks) {
    const bool one_piece = mask == 0 || std::has_single_bit((mask >> std::countr_zero(mask)) + uint64_t{1});
    check(one_piece && (mask & seen) == 0, ErrorKind::kData, "image", b.file(),
          ": damaged BMP: bit fields that overlap or have gaps");
    seen |= mask;
  }
}

void read_palette(const Bytes& b, size_t at, size_t entry, size_t colours, Header& h) {
  const size_t most = size_t{1} << h.bits;
  if (colours == 0 || colours > most) colours = most;
  if (h.pixels_at > at)
    colours = std::min(colours, (h.pixels_at - at) / entry);  // short palettes stand right before the pixels
  for (size_t i = 0; i < colours; ++i) {
    const auto bgr = b.part(at + i * entry, 3);
    h.palette.push_back({bgr[2], bgr[1], bgr[0]});
  }
}

void check_header(const Header& h, const Bytes& b, const ImageLimits& limits) {
  check_image_size(h.width, h.height, b.file(), limits);
  const bool rle = h.compression == kRle8 || h.compression == kRle4,
             fields = h.compression == kBitFields || h.compression == kAlphaBitFields;
  const bool bits_fit =
      rle      ? h.bits == (h.compression == kRle8 ? 8u : 4u) && !h.from_above
      : fields ? h.bits == 16 || h.bits == 32
               : h.bits == 1 || h.bits == 2 || h.bits == 4 || h.bits == 8 || h.bits == 16 || h.bits == 24 || h.bits == 32;
  check(bits_fit && (rle || fields || h.compression == kRgb), ErrorKind::kData, "image", b.file(), ": a BMP of ", h.bits,
        " bits a pixel with compression ", h.compression, ", which is not supported");
}

Header read_header(const Bytes& b, const ImageLimits& limits) {
  Header h;
  h.pixels_at = b.number(10, 4);
  const size_t size = b.number(14, 4);
  const bool oldest = size == 12;
  check(oldest || (size >= 40 && size <= 124) || size == 16, ErrorKind::kData, "image", b.file(), ": damaged BMP: a header of ",
        size, " bytes");
  if (oldest) {
    h.width = b.number(18, 2), h.height = b.number(20, 2), h.bits = b.number(24, 2);
  } else {
    h.width = static_cast<int32_t>(b.number(18, 4)), h.height = static_cast<int32_t>(b.number(22, 4)), h.bits = b.number(28, 2);
    h.from_above = h.height < 0;
    h.height = h.from_above ? -h.height : h.height;
    if (size >= 40) h.compression = b.number(30, 4);
  }
  check_header(h, b, limits);
  if (h.bits > 8) {
    read_masks(b, size, h);
  } else {
    read_palette(b, 14 + size, oldest ? 3 : 4, size >= 40 ? b.number(46, 4) : 0, h);
  }
  return h;
}

// The value of a bit field, widened to eight bits.
uint8_t widened(uint32_t pixel, uint32_t mask) {
  if (mask == 0) return 0;
  const int shift = std::countr_zero(mask);
  const uint64_t most = mask >> shift, value = (pixel & mask) >> shift;
  return static_cast<uint8_t>(value * 255 / most);  // rounded down, as in Pillow
}

// Palette indices [height, width], rows from below, of run lengths: pairs (count, index), and after a 0 an end of line (0), an
// end (1), a step (2), or so many indices as they are. What a step leaves out keeps index 0.
class RunLengths {
 public:
  RunLengths(std::span<const uint8_t> in, const Header& h, const std::string& file) : in_(in), h_(h), file_(file) {}

  // Of no indices if they shall not be kept.
  std::vector<uint8_t> decode(bool keep) {
    if (keep) indices_.resize(static_cast<size_t>(h_.width * h_.height));
    while (!ended_) {
      const int count = next(), value = next();
      if (count > 0) {
        for (int i = 0; i < count; ++i) put(h_.bits == 8 ? value : i % 2 ? value & 15 : value >> 4);
      } else {
        escape(value);
      }
    }
    return std::move(indices_);
  }

 private:
  int next() {
    check(at_ < in_.size(), ErrorKind::kData, "image", file_, ": damaged BMP: the file ends early");
    return in_[at_++];
  }
  void put(int index) {
    check(x_ < h_.width && y_ < h_.height, ErrorKind::kData, "image", file_, ": damaged BMP: a run beyond the edge");
    check(static_cast<size_t>(index) < h_.palette.size(), ErrorKind::kData, "image", file_, ": damaged BMP: colour ", index,
          " of a palette of ", h_.palette.size());
    if (!indices_.empty()) indices_[static_cast<size_t>(y_ * h_.width + x_)] = static_cast<uint8_t>(index);
    ++x_;
  }
  void escape(int code) {
    if (code == 0) {
      x_ = 0, ++y_;
    } else if (code == 1) {
      ended_ = true;
    } else if (code == 2) {
      x_ += next(), y_ += next();
    } else {
      int bytes = 0, pair = 0;
      for (int i = 0; i < code; ++i) {
        if (h_.bits == 8 || i % 2 == 0) pair = next(), ++bytes;
        put(h_.bits == 8 ? pair : i % 2 ? pair & 15 : pair >> 4);
      }
      if (bytes % 2) next();
    }
  }

  std::span<const uint8_t> in_;
  const Header& h_;
  const std::string& file_;
  std::vector<uint8_t> indices_;
  size_t at_ = 0;
  int64_t x_ = 0, y_ = 0;
  bool ended_ = false;
};

const Colour& colour(const Header& h, size_t index, const std::string& file) {
  check(index < h.palette.size(), ErrorKind::kData, "image", file, ": damaged BMP: colour ", index, " of a palette of ",
        h.palette.size());
  return h.palette[index];
}

// Row `in` of the file as u8 [width, channels].
void decode_row(const uint8_t* in, const Header& h, int64_t channels, uint8_t* out, const std::string& file) {
  for (int64_t x = 0; x < h.width; ++x, out += channels) {
    if (h.bits <= 8) {
      const int64_t per_byte = 8 / h.bits, shift = static_cast<int64_t>(h.bits) * (per_byte - 1 - x % per_byte);
      const Colour& c = colour(h, static_cast<size_t>(in[x / per_byte] >> shift & ((1 << h.bits) - 1)), file);
      std::copy(c.begin(), c.end(), out);
      continue;
    }
    const int64_t bytes = h.bits / 8;
    uint32_t pixel = 0;
    for (int64_t i = bytes - 1; i >= 0; --i) pixel = pixel << 8 | in[x * bytes + i];
    for (int64_t c = 0; c < channels; ++c) out[c] = widened(pixel, h.masks[c]);
  }
}

// u8 [height, width, channels], top row first, of what `row(y, out)` gives for row y of the file.
template <class Row>
Tensor decoded(const Header& h, int64_t channels, Row row) {
  Tensor result = empty({h.height, h.width, channels}, Dtype::u8, "image");
  for (int64_t y = 0; y < h.height; ++y)
    row(h.from_above ? y : h.height - 1 - y, result.mutable_data<uint8_t>() + y * h.width * channels);
  return result;
}

}  // namespace

bool is_bmp(std::span<const uint8_t> bytes) {
  // Two letters alone could begin a text; the size of the information header follows in one byte.
  return bytes.size() >= 18 && bytes[0] == 'B' && bytes[1] == 'M' && bytes[14] >= 12 && bytes[14] <= 124 && bytes[15] == 0 &&
         bytes[16] == 0 && bytes[17] == 0;
}

Tensor decode_bmp(std::span<const uint8_t> content, const std::string& file, const DecodeOptions& options, std::string* note) {
  const Bytes b(content, file);
  const Header h = read_header(b, options.limits);
  const int64_t channels = h.masks[3] != 0 ? 4 : 3;
  const bool small = h.width * h.height * channels <= static_cast<int64_t>(b.size()) + kTrusted;
  if (h.compression == kRle8 || h.compression == kRle4) {
    const auto runs = b.part(h.pixels_at, b.size() - std::min(b.size(), h.pixels_at));
    // A pair of bytes brings at most 255 pixels; a picture of steps is not trusted beyond that.
    check(h.width * h.height / 128 <= static_cast<int64_t>(runs.size()), ErrorKind::kData, "image", file, ": ", runs.size(),
          " bytes cannot hold ", h.width, " x ", h.height, " pixels: the file ends early");
    if (!small) RunLengths(runs, h, file).decode(false);
    const std::vector<uint8_t> indices = RunLengths(runs, h, file).decode(true);
    return flattened(decoded(h, channels,
                             [&](int64_t y, uint8_t* out) {
                               for (int64_t x = 0; x < h.width; ++x, out += channels) {
                                 const Colour& c = colour(h, indices[static_cast<size_t>(y * h.width + x)], file);
                                 std::copy(c.begin(), c.end(), out);
                               }
                             }),
                     options.alpha, note);
  }
  const int64_t stride = (h.width * h.bits + 31) / 32 * 4;
  const auto rows = b.part(h.pixels_at, static_cast<size_t>(stride * h.height));
  std::vector<uint8_t> dropped(static_cast<size_t>(small ? 0 : h.width * channels));
  for (int64_t y = 0; !small && y < h.height; ++y) decode_row(rows.data() + y * stride, h, channels, dropped.data(), file);
  return flattened(
      decoded(h, channels, [&](int64_t y, uint8_t* out) { decode_row(rows.data() + y * stride, h, channels, out, file); }),
      options.alpha, note);
}

}  // namespace vitrail
