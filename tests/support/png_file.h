// PNG files built by hand, chunk by chunk: for what no writer would write.
#pragma once

#include <doctest/doctest.h>
#include <zlib.h>

#include <cstdint>
#include <string>
#include <vector>

namespace vitrail::testing {

inline void add_big_endian(std::vector<uint8_t>& out, size_t number) {
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<uint8_t>(number >> shift));
}

class PngFile {
 public:
  // Colour: 0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGB and alpha.
  PngFile(size_t width, size_t height, int bits, int colour) {
    std::vector<uint8_t> header;
    add_big_endian(header, width);
    add_big_endian(header, height);
    header.insert(header.end(), {static_cast<uint8_t>(bits), static_cast<uint8_t>(colour), 0, 0, 0});
    chunk("IHDR", header);
  }

  PngFile& chunk(const std::string& type, const std::vector<uint8_t>& content) {
    add_big_endian(bytes_, content.size());
    const size_t start = bytes_.size();
    bytes_.insert(bytes_.end(), type.begin(), type.end());
    bytes_.insert(bytes_.end(), content.begin(), content.end());
    add_big_endian(bytes_, crc32(0, bytes_.data() + start, static_cast<uInt>(bytes_.size() - start)));
    return *this;
  }

  // Rows as they stand in the file, each with its filter in front.
  PngFile& rows(const std::vector<uint8_t>& content) {
    std::vector<uint8_t> packed(compressBound(content.size()));
    uLongf size = packed.size();
    REQUIRE(compress(packed.data(), &size, content.data(), content.size()) == Z_OK);
    packed.resize(size);
    return chunk("IDAT", packed);
  }

  std::vector<uint8_t> end() { return chunk("IEND", {}).bytes_; }

 private:
  std::vector<uint8_t> bytes_{0x89, 'P', 'N', 'G', 13, 10, 26, 10};
};

}  // namespace vitrail::testing
