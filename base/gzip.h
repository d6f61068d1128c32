// Reading of files that may be packed by gzip (RFC 1952), piece by piece: what it costs grows with what is read, not with what
// the file could unpack to.
#pragma once

#include <cstdint>
#include <memory>

#include "base/byte_source.h"

namespace vitrail {

// deflate shrinks to no less than this part: n packed bytes cannot hold more than kMaxExpansion * n.
constexpr int64_t kMaxExpansion = 1032;

// The two bytes that every gzip file begins with.
bool is_gzip(const ByteSource& source);

// The bytes of a source from its beginning, unpacked if it is a gzip file of one or more members.
class UnpackedStream {
 public:
  explicit UnpackedStream(const ByteSource& source);
  ~UnpackedStream();
  UnpackedStream(const UnpackedStream&) = delete;
  UnpackedStream& operator=(const UnpackedStream&) = delete;

  bool is_packed() const { return inflater_ != nullptr; }
  // The next `bytes` bytes; fewer only at the end. At the end of a gzip file its checksum has been compared.
  // Error(kData) naming the source if the stream ends early, is damaged, or is followed by other bytes.
  int64_t read(void* to, int64_t bytes);
  // Passes over `bytes` bytes, in a buffer of a fixed size; how many there were.
  int64_t skip(int64_t bytes);

 private:
  class Inflater;

  const ByteSource& source_;
  int64_t position_ = 0;  // of a source that is not packed
  std::unique_ptr<Inflater> inflater_;
};

}  // namespace vitrail
