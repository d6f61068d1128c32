#include "base/gzip.h"

#include <zlib.h>

#include <algorithm>

#include "base/error.h"
#include "base/file.h"

namespace vitrail {
namespace {

constexpr int kGzipOnly = 16 + MAX_WBITS;  // inflateInit2: gzip header and checksum, no raw or zlib streams
constexpr int64_t kMaxPiece = int64_t{1} << 24;

class Inflater {
 public:
  explicit Inflater(const std::vector<uint8_t>& bytes) {
    check(inflateInit2(&stream_, kGzipOnly) == Z_OK, ErrorKind::kMemory, "gzip", "zlib has no memory");
    stream_.next_in = const_cast<Bytef*>(bytes.data());  // zlib does not write through it
    rest_ = static_cast<int64_t>(bytes.size());
  }
  ~Inflater() { inflateEnd(&stream_); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  // Writes up to `room` bytes; how many is in *written. The result is zlib's.
  int step(uint8_t* out, int64_t room, int64_t* written) {
    const auto given = static_cast<uInt>(std::min(rest_, kMaxPiece));  // zlib counts in 32 bits
    stream_.avail_in = given;
    stream_.next_out = out;
    stream_.avail_out = static_cast<uInt>(room);
    const int result = inflate(&stream_, Z_NO_FLUSH);
    rest_ -= given - stream_.avail_in;
    *written = room - stream_.avail_out;
    return result;
  }

  int next_member() { return inflateReset(&stream_); }
  int64_t rest() const { return rest_; }
  uint8_t next_byte(int64_t ahead) const { return stream_.next_in[ahead]; }
  const char* reason() const { return stream_.msg != nullptr ? stream_.msg : "bad stream"; }

 private:
  z_stream stream_{};
  int64_t rest_ = 0;
};

}  // namespace

bool is_gzip(const std::vector<uint8_t>& bytes) { return bytes.size() >= 2 && bytes[0] == 0x1f && bytes[1] == 0x8b; }

std::vector<uint8_t> gunzip(const std::vector<uint8_t>& bytes, const std::string& name, int64_t limit) {
  const std::string file = escaped(name);
  check(is_gzip(bytes), ErrorKind::kData, "gzip", file, ": not a gzip file");
  Inflater inflater(bytes);
  std::vector<uint8_t> out;
  int64_t filled = 0;
  while (filled < limit) {
    const int64_t room = std::min({limit - filled, std::max<int64_t>(filled, 4096), kMaxPiece});
    out.resize(filled + room);
    int64_t written = 0;
    const int result = inflater.step(out.data() + filled, room, &written);
    filled += written;
    if (result == Z_STREAM_END) {
      if (inflater.rest() == 0) break;
      const bool member = inflater.rest() >= 2 && inflater.next_byte(0) == 0x1f && inflater.next_byte(1) == 0x8b;
      check(member && inflater.next_member() == Z_OK, ErrorKind::kData, "gzip", file, ": ", inflater.rest(),
            " bytes follow the end of the gzip stream");
      continue;
    }
    check(result == Z_OK || result == Z_BUF_ERROR, ErrorKind::kData, "gzip", file, ": the gzip stream is damaged after ",
          filled, " unpacked bytes (", inflater.reason(), ")");
    check(inflater.rest() > 0 || written == room, ErrorKind::kData, "gzip", file,
          ": the gzip stream ends early: ", bytes.size(), " bytes unpack to ", filled, " and then it stops");
  }
  out.resize(filled);
  return out;
}

}  // namespace vitrail
