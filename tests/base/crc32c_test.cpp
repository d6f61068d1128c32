// CRC-32C: the published values, both ways to compute it, and what it finds.
#include "base/crc32c.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace vitrail;

namespace {

std::span<const uint8_t> bytes_of(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

}  // namespace

TEST_CASE("the CRC has the values of RFC 3720") {
  std::string rising, falling;
  for (int i = 0; i < 32; ++i) rising += static_cast<char>(i), falling += static_cast<char>(31 - i);
  for (const auto crc : {crc32c, crc32c_by_tables}) {
    CHECK(crc({}, 0) == 0);
    CHECK(crc(bytes_of("123456789"), 0) == 0xE3069283);
    CHECK(crc(bytes_of(std::string(32, '\0')), 0) == 0x8A9136AA);
    CHECK(crc(bytes_of(std::string(32, '\xff')), 0) == 0x62A8AB43);
    CHECK(crc(bytes_of(rising), 0) == 0x46DD794E);
    CHECK(crc(bytes_of(falling), 0) == 0x113FDB5C);
  }
}

TEST_CASE("tables and instruction agree for every length and place, and parts give the CRC of the whole") {
  std::string text;
  for (int i = 0; i < 300; ++i) text += static_cast<char>(i * i * 7 + i);
  for (size_t from = 0; from < 9; ++from) {
    for (size_t length = 0; length < 80; ++length) {
      const auto part = bytes_of(text).subspan(from, length);
      const uint32_t crc = crc32c(part);
      CHECK(crc == crc32c_by_tables(part));
      CHECK(crc == crc32c(part.subspan(length / 3), crc32c(part.first(length / 3))));
      CHECK(crc == crc32c_by_tables(part.subspan(length / 3), crc32c_by_tables(part.first(length / 3))));
    }
  }
}

TEST_CASE("any one changed bit changes the CRC") {
  const std::string text = "the quick brown fox jumps over the lazy dog";
  const uint32_t crc = crc32c(bytes_of(text));
  for (size_t bit = 0; bit < 8 * text.size(); ++bit) {
    std::string changed = text;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << bit % 8));
    CHECK(crc32c(bytes_of(changed)) != crc);
  }
}
