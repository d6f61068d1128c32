// PGM and PPM: "P5 width height maxval", one white space, the samples. Netpbm manual, pgm(5) and ppm(5).
#include "base/error.h"
#include "data/image/image_formats.h"

namespace vitrail {
namespace {

bool is_space(uint8_t c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

class Scanner {
 public:
  Scanner(std::span<const uint8_t> bytes, const std::string& file) : bytes_(bytes), file_(file) {}

  size_t position() const { return position_; }
  void skip(size_t count) { position_ += count; }

  // The next number, after white space and comments (from # to the end of the line).
  int64_t number(const char* what) {
    for (; position_ < bytes_.size(); ++position_) {
      if (bytes_[position_] == '#') {
        while (position_ < bytes_.size() && bytes_[position_] != '\n' && bytes_[position_] != '\r') ++position_;
        if (position_ == bytes_.size()) break;
      } else if (!is_space(bytes_[position_])) {
        break;
      }
    }
    const size_t start = position_;
    int64_t value = 0;
    for (; position_ < bytes_.size() && bytes_[position_] >= '0' && bytes_[position_] <= '9' && value < 1'000'000;
         ++position_) {
      value = value * 10 + (bytes_[position_] - '0');
    }
    check(position_ < bytes_.size() || position_ > start, ErrorKind::kData, "image", file_, ": the Netpbm file ends before ",
          what);
    check(position_ > start, ErrorKind::kData, "image", file_, ": a number is expected for ", what, " at byte ", start);
    return value;
  }

  // The single white space between header and samples.
  void separator() {
    check(position_ < bytes_.size() && is_space(bytes_[position_]), ErrorKind::kData, "image", file_,
          ": white space must follow the Netpbm header at byte ", position_);
    ++position_;
  }

 private:
  std::span<const uint8_t> bytes_;
  const std::string& file_;
  size_t position_ = 2;
};

}  // namespace

bool is_netpbm(std::span<const uint8_t> bytes) {
  if (bytes.size() < 3 || bytes[0] != 'P' || !(is_space(bytes[2]) || bytes[2] == '#')) return false;
  return bytes[1] == '2' || bytes[1] == '3' || bytes[1] == '5' || bytes[1] == '6';
}

Tensor decode_netpbm(std::span<const uint8_t> bytes, const std::string& file, const ImageLimits& limits) {
  const bool plain = bytes[1] <= '3';
  const int64_t channels = bytes[1] == '3' || bytes[1] == '6' ? 3 : 1;
  Scanner scan(bytes, file);
  const int64_t width = scan.number("the width"), height = scan.number("the height"), maxval = scan.number("maxval");
  check_image_size(width, height, file, limits);
  check(maxval >= 1 && maxval <= 65535, ErrorKind::kData, "image", file, ": maxval must be in [1, 65535]: it is ", maxval);
  const int64_t count = checked_numel({channels, height, width}, "image"), sample_bytes = plain || maxval > 255 ? 2 : 1;
  scan.separator();
  const int64_t rest = static_cast<int64_t>(bytes.size() - scan.position());
  // A sample as text takes a digit and a space, the last one a digit.
  const int64_t wanted = plain ? 2 * count - 1 : sample_bytes * count;
  check(rest >= wanted, ErrorKind::kData, "image", file, ": cut off: ", width, " x ", height, " pixels need ", wanted,
        " bytes, there are ", rest);

  std::vector<uint8_t> samples(count);
  const uint8_t* raw = bytes.data() + scan.position();
  for (int64_t i = 0; i < count; ++i) {
    const int64_t value = plain ? scan.number("all samples") : sample_bytes == 2 ? raw[2 * i] << 8 | raw[2 * i + 1] : raw[i];
    check(value <= maxval, ErrorKind::kData, "image", file, ": sample ", i, " is ", value, ", above maxval ", maxval);
    samples[i] = static_cast<uint8_t>((value * 255 + maxval / 2) / maxval);
  }
  return from_interleaved(samples.data(), channels, height, width);
}

}  // namespace vitrail
