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

  // The next number, after white space and comments (from # to the end of the line).
  int64_t number(const char* what) {
    skip_space();
    const size_t start = position_;
    int64_t value = 0;
    for (; position_ < bytes_.size() && bytes_[position_] >= '0' && bytes_[position_] <= '9' && value < 1'000'000;
         ++position_) {
      value = value * 10 + (bytes_[position_] - '0');
    }
    check(position_ < bytes_.size() || position_ > start, ErrorKind::kData, "image", file_, ": the Netpbm file ends before ",
          what);
    const bool more = position_ < bytes_.size() && bytes_[position_] >= '0' && bytes_[position_] <= '9';
    check(!more, ErrorKind::kData, "image", file_, ": ", what, " is above 1000000 at byte ", start);
    check(position_ > start, ErrorKind::kData, "image", file_, ": a number is expected for ", what, " at byte ", start);
    return value;
  }

  // The single white space between header and samples.
  void separator() {
    check(position_ < bytes_.size() && is_space(bytes_[position_]), ErrorKind::kData, "image", file_,
          ": white space must follow the Netpbm header at byte ", position_);
    ++position_;
  }

  // A header written with line ends CR LF has a second byte there: taken as such if the samples end where the file, or the
  // image before the next one, ends only then.
  void line_feed(int64_t sample_bytes) {
    const bool crlf = position_ < bytes_.size() && bytes_[position_ - 1] == '\r' && bytes_[position_] == '\n';
    if (crlf && !is_end(sample_bytes) && is_end(sample_bytes + 1)) ++position_;
  }

  // Whether the image ends `count` bytes further on: at the end of the file, or where another image begins.
  bool is_end(int64_t count) const {
    const size_t rest = bytes_.size() - position_, here = static_cast<size_t>(count);
    return rest == here || (rest > here && is_netpbm(bytes_.subspan(position_ + here)));
  }

  // Nothing but white space and comments may follow the samples of a plain file.
  void end_of_text() {
    skip_space();
    check(position_ >= bytes_.size(), ErrorKind::kData, "image", file_, ": ", bytes_.size() - position_,
          " bytes follow the end of the picture");
  }

 private:
  void skip_space() {
    for (; position_ < bytes_.size(); ++position_) {
      if (bytes_[position_] == '#') {
        while (position_ < bytes_.size() && bytes_[position_] != '\n' && bytes_[position_] != '\r') ++position_;
        if (position_ == bytes_.size()) break;
      } else if (!is_space(bytes_[position_])) {
        break;
      }
    }
  }

  std::span<const uint8_t> bytes_;
  const std::string& file_;
  size_t position_ = 2;
};

}  // namespace

bool is_netpbm(std::span<const uint8_t> bytes) {
  if (bytes.size() < 3 || bytes[0] != 'P' || !(is_space(bytes[2]) || bytes[2] == '#')) return false;
  return bytes[1] == '2' || bytes[1] == '3' || bytes[1] == '5' || bytes[1] == '6';
}

Tensor decode_netpbm(std::span<const uint8_t> bytes, const std::string& file, const DecodeOptions& options,
                     std::string* /*note*/) {
  const bool plain = bytes[1] <= '3';
  const int64_t channels = bytes[1] == '3' || bytes[1] == '6' ? 3 : 1;
  Scanner scan(bytes, file);
  const int64_t width = scan.number("the width"), height = scan.number("the height"), maxval = scan.number("maxval");
  check_image_size(width, height, file, options.limits);
  check(maxval >= 1 && maxval <= 65535, ErrorKind::kData, "image", file, ": maxval must be in [1, 65535]: it is ", maxval);
  const int64_t count = checked_numel({channels, height, width}, "image"), sample_bytes = plain || maxval > 255 ? 2 : 1;
  scan.separator();
  if (!plain) scan.line_feed(sample_bytes * count);
  const int64_t rest = static_cast<int64_t>(bytes.size() - scan.position());
  // A sample as text takes a digit and a space, the last one a digit.
  const int64_t wanted = plain ? 2 * count - 1 : sample_bytes * count;
  check(rest >= wanted, ErrorKind::kData, "image", file, ": cut off: ", width, " x ", height, " pixels need ", wanted,
        " bytes, there are ", rest);

  check(plain || scan.is_end(wanted), ErrorKind::kData, "image", file, ": ", rest - wanted,
        " bytes follow the end of the picture");

  Tensor result = empty({channels, height, width}, Dtype::u8, "image");
  uint8_t* out = result.mutable_data<uint8_t>();
  const uint8_t* raw = bytes.data() + scan.position();
  const int64_t pixels = height * width;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t value = plain ? scan.number("all samples") : sample_bytes == 2 ? raw[2 * i] << 8 | raw[2 * i + 1] : raw[i];
    check(value <= maxval, ErrorKind::kData, "image", file, ": sample ", i, " is ", value, ", above maxval ", maxval);
    out[i % channels * pixels + i / channels] = static_cast<uint8_t>((value * 255 + maxval / 2) / maxval);
  }
  if (plain) scan.end_of_text();
  return result;
}

}  // namespace vitrail
