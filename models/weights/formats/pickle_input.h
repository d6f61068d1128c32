// The bytes of a pickle, buffered, with its ways to write numbers and texts.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/byte_source.h"

namespace vitrail {

class PickleInput {
 public:
  PickleInput(const ByteSource& source, int64_t position);

  int64_t position() const { return buffer_start_ + static_cast<int64_t>(at_); }  // of the next byte
  uint8_t byte();
  // A little-endian number of `bytes` (1 to 8) bytes, without sign.
  uint64_t number(int bytes);
  double real();  // big-endian
  // The next `bytes` bytes: the first `kept` of them are returned, the others skipped.
  std::string text(uint64_t bytes, int64_t kept);
  // A line without its end, of at most `most` bytes.
  std::string line(int64_t most);
  // Error(kData) naming source and byte.
  [[noreturn]] void refuse(const std::string& what) const;
  void require(bool rule, const char* what) const {
    if (!rule) refuse(what);
  }

 private:
  void refill();

  const ByteSource& source_;
  std::vector<uint8_t> buffer_;
  int64_t buffer_start_ = 0;  // the byte of the source at which the buffer begins
  size_t at_ = 0, filled_ = 0;
};

}  // namespace vitrail
