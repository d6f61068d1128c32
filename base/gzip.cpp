#include "base/gzip.h"

#include <zlib.h>

#include <algorithm>
#include <vector>

#include "base/error.h"

namespace vitrail {
namespace {

constexpr int kGzipOnly = 16 + MAX_WBITS;  // inflateInit2: gzip header and checksum, no raw or zlib streams
constexpr int64_t kPiece = int64_t{1} << 16;

}  // namespace

bool is_gzip(const ByteSource& source) {
  uint8_t magic[2] = {};
  if (source.size < 2) return false;
  source.read_at(0, magic, 2);
  return magic[0] == 0x1f && magic[1] == 0x8b;
}

class UnpackedStream::Inflater {
 public:
  explicit Inflater(const ByteSource& source) : source_(source), input_(kPiece) {
    check(inflateInit2(&stream_, kGzipOnly) == Z_OK, ErrorKind::kMemory, "gzip", "zlib has no memory");
  }
  ~Inflater() { inflateEnd(&stream_); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  int64_t read(uint8_t* to, int64_t bytes) {
    int64_t filled = 0;
    while (filled < bytes && !ended_) {
      const int64_t room = std::min(bytes - filled, int64_t{1} << 30);  // zlib counts in 32 bits
      refill();
      stream_.next_out = to + filled;
      stream_.avail_out = static_cast<uInt>(room);
      const int result = inflate(&stream_, Z_NO_FLUSH);
      const int64_t written = room - stream_.avail_out;
      filled += written, total_ += written;
      if (result == Z_STREAM_END) {
        next_member();
        continue;
      }
      require(result == Z_OK || result == Z_BUF_ERROR, ": the gzip stream is damaged after ", total_, " unpacked bytes (",
              stream_.msg != nullptr ? stream_.msg : "bad stream", ")");
      require(rest() > 0 || written == room, ": the gzip stream ends early: ", source_.size, " bytes unpack to ", total_,
              " and then it stops");
    }
    return filled;
  }

 private:
  template <class... Parts>
  void require(bool rule, const Parts&... parts) const {
    check(rule, ErrorKind::kData, "gzip", source_.name, parts...);
  }

  int64_t rest() const { return source_.size - taken_ + stream_.avail_in; }  // compressed bytes that zlib has not consumed

  void refill() {
    if (stream_.avail_in > 0) return;
    const int64_t count = std::min(kPiece, source_.size - taken_);
    source_.read_at(taken_, input_.data(), count);
    taken_ += count;
    stream_.next_in = input_.data();
    stream_.avail_in = static_cast<uInt>(count);
  }

  // At the end of a gzip member: another member may follow, or the end of the file.
  void next_member() {
    ended_ = rest() == 0;
    if (ended_) return;
    uint8_t magic[2] = {};
    const int64_t at = source_.size - rest();
    if (rest() >= 2) source_.read_at(at, magic, 2);
    require(magic[0] == 0x1f && magic[1] == 0x8b && inflateReset(&stream_) == Z_OK, ": ", rest(),
            " bytes follow the end of the gzip stream");
  }

  const ByteSource& source_;
  std::vector<uint8_t> input_;
  z_stream stream_{};
  int64_t taken_ = 0, total_ = 0;
  bool ended_ = false;
};

UnpackedStream::UnpackedStream(const ByteSource& source) : source_(source) {
  if (is_gzip(source)) inflater_ = std::make_unique<Inflater>(source);
}
UnpackedStream::~UnpackedStream() = default;

int64_t UnpackedStream::read(void* to, int64_t bytes) {
  if (inflater_) return inflater_->read(static_cast<uint8_t*>(to), bytes);
  const int64_t count = std::min(bytes, source_.size - position_);
  source_.read_at(position_, to, count);
  position_ += count;
  return count;
}

int64_t UnpackedStream::skip(int64_t bytes) {
  if (!inflater_) {
    const int64_t count = std::min(bytes, source_.size - position_);
    position_ += count;
    return count;
  }
  std::vector<uint8_t> dropped(static_cast<size_t>(std::min(bytes, kPiece)));
  int64_t passed = 0;
  while (passed < bytes) {
    const int64_t count = inflater_->read(dropped.data(), std::min(bytes - passed, kPiece));
    if (count == 0) break;
    passed += count;
  }
  return passed;
}

}  // namespace vitrail
