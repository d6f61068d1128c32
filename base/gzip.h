// Streaming reader for files that may be gzip-compressed (RFC 1952). Time and memory grow with the bytes that are read, not
// with the size that the file expands to.
#pragma once

#include <cstdint>
#include <memory>

#include "base/byte_source.h"

namespace vitrail {

// deflate expands n compressed bytes to at most kMaxExpansion * n bytes.
constexpr int64_t kMaxExpansion = 1032;

// True if the source begins with the two bytes that every gzip file begins with.
bool is_gzip(const ByteSource& source);

// The bytes of a source from its beginning, decompressed if it is a gzip file (of one or more members).
class UnpackedStream {
 public:
  explicit UnpackedStream(const ByteSource& source);
  ~UnpackedStream();
  UnpackedStream(const UnpackedStream&) = delete;
  UnpackedStream& operator=(const UnpackedStream&) = delete;

  bool is_packed() const { return inflater_ != nullptr; }
  // Reads the next `bytes` bytes and returns how many there were: fewer only at the end. At the end of a gzip file its checksum
  // has been verified.
  // Error(kData) naming the source if the stream ends early, is damaged, or is followed by other bytes.
  int64_t read(void* to, int64_t bytes);
  // Skips `bytes` bytes with a buffer of fixed size, and returns how many there were.
  int64_t skip(int64_t bytes);

 private:
  class Inflater;

  const ByteSource& source_;
  int64_t position_ = 0;  // in a source that is not compressed
  std::unique_ptr<Inflater> inflater_;
};

}  // namespace vitrail
