// EXIF orientation: how the camera was held.
#include "data/image/image_formats.h"
#include "tensor/view.h"

namespace vitrail {
namespace {

// Bounded reads from a TIFF file of either byte order.
class Tiff {
 public:
  explicit Tiff(std::span<const uint8_t> bytes) : bytes_(bytes), big_endian_(!bytes.empty() && bytes[0] == 'M') {}

  bool holds(size_t at, size_t count) const { return at <= bytes_.size() && count <= bytes_.size() - at; }
  // The unsigned number of `count` bytes at `at`, which must be within.
  uint32_t number(size_t at, int count) const {
    uint32_t value = 0;
    for (int i = 0; i < count; ++i) value = value << 8 | bytes_[at + static_cast<size_t>(big_endian_ ? i : count - 1 - i)];
    return value;
  }

 private:
  std::span<const uint8_t> bytes_;
  bool big_endian_;
};

}  // namespace

int exif_orientation(std::span<const uint8_t> bytes) {
  constexpr uint32_t kOrientation = 0x112, kShort = 3;
  constexpr size_t kEntry = 12;
  const Tiff tiff(bytes);
  const bool known =
      tiff.holds(0, 8) && bytes[0] == bytes[1] && (bytes[0] == 'I' || bytes[0] == 'M') && tiff.number(2, 2) == 42;
  const size_t directory = known ? tiff.number(4, 4) : 0;
  if (!known || !tiff.holds(directory, 2)) return 1;
  const size_t entries = tiff.number(directory, 2);
  for (size_t i = 0; i < entries; ++i) {
    const size_t at = directory + 2 + i * kEntry;
    if (!tiff.holds(at, kEntry)) return 1;
    if (tiff.number(at, 2) != kOrientation) continue;
    const uint32_t value = tiff.number(at + 8, 2);
    return tiff.number(at + 2, 2) == kShort && value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

Tensor upright(const Tensor& image, int orientation) {
  if (orientation <= 1 || orientation > 8) return image;
  const Tensor source = contiguous(image);
  const int64_t C = source.size(0), H = source.size(1), W = source.size(2);
  const bool swapped = orientation >= 5;
  const bool from_below = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  const bool from_right = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  Tensor result = empty({C, swapped ? W : H, swapped ? H : W}, Dtype::u8, "image");
  const uint8_t* in = source.data<uint8_t>();
  uint8_t* out = result.mutable_data<uint8_t>();
  for (int64_t c = 0; c < C; ++c, in += H * W) {
    for (int64_t y = 0; y < result.size(1); ++y) {
      for (int64_t x = 0; x < result.size(2); ++x) {
        const int64_t row = swapped ? x : y, column = swapped ? y : x;
        *out++ = in[(from_below ? H - 1 - row : row) * W + (from_right ? W - 1 - column : column)];
      }
    }
  }
  return result;
}

}  // namespace vitrail
