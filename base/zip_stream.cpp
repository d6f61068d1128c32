// The data of one entry of a ZIP archive.
#include <zlib.h>

#include <algorithm>
#include <vector>

#include "base/error.h"
#include "base/text.h"
#include "base/zip.h"

namespace vitrail {
namespace {

constexpr int64_t kPiece = int64_t{1} << 16;

}  // namespace

class ZipStream::State {
 public:
  State(const ByteSource& archive, const ZipEntry& entry, bool checksum)
      : archive_(archive), entry_(entry), checksum_(checksum), crc_(crc32(0, nullptr, 0)) {
    if (!entry.packed) return;
    input_.resize(static_cast<size_t>(std::min(kPiece, entry.packed_bytes)));
    check(inflateInit2(&stream_, -MAX_WBITS) == Z_OK, ErrorKind::kMemory, "zip", "zlib has no memory");
  }
  ~State() {
    if (entry_.packed) inflateEnd(&stream_);
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  int64_t left() const { return entry_.bytes - done_; }

  void read(uint8_t* to, int64_t bytes) {
    require(bytes <= left(), "has ", left(), " bytes left, ", bytes, " are wanted");
    for (int64_t i = 0; i < bytes; i += kPiece) {  // in pieces that are still in the cache when their CRC is taken
      const int64_t count = std::min(kPiece, bytes - i);
      if (entry_.packed)
        inflate_exactly(to + i, count);
      else
        archive_.read_at(entry_.data + done_, to + i, count);
      if (checksum_) crc_ = crc32(crc_, to + i, static_cast<uInt>(count));
      done_ += count;
    }
    if (left() == 0) end();
  }

  void finish() {
    std::vector<uint8_t> dropped(static_cast<size_t>(std::min(kPiece, left())));
    while (left() > 0) read(dropped.data(), std::min(left(), kPiece));
    if (!ended_) end();  // an entry without content
  }

 private:
  template <class... Parts>
  void require(bool rule, const Parts&... parts) const {
    check(rule, ErrorKind::kData, "zip", archive_.name, ": entry ", quote(entry_.name), " ", parts...);
  }

  void end() {
    ended_ = true;
    if (entry_.packed) {
      uint8_t one_more = 0;
      require(inflate_some(&one_more, 1) == 0 && stream_ended_, "goes on behind the ", entry_.bytes, " bytes that it claims");
      require(taken_ == entry_.packed_bytes && stream_.avail_in == 0, "is followed by bytes that belong to nothing");
    }
    require(!checksum_ || crc_ == entry_.crc, "is damaged: its checksum differs. Hint: download the file again.");
  }

  void inflate_exactly(uint8_t* to, int64_t bytes) {
    const int64_t count = inflate_some(to, bytes);
    require(count == bytes, "is damaged: it ends after ", done_ + count, " of ", entry_.bytes, " bytes");
  }

  // Fewer bytes only at the end of the packed data.
  int64_t inflate_some(uint8_t* to, int64_t bytes) {
    stream_.next_out = to;
    stream_.avail_out = static_cast<uInt>(bytes);
    while (stream_.avail_out > 0 && !stream_ended_) {
      refill();
      const uInt room = stream_.avail_out;
      const int result = inflate(&stream_, Z_NO_FLUSH);
      stream_ended_ = result == Z_STREAM_END;
      require(result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR, "is damaged after ", done_, " bytes (",
              stream_.msg != nullptr ? stream_.msg : "bad stream", ")");
      const bool starved = stream_.avail_in == 0 && taken_ == entry_.packed_bytes && stream_.avail_out == room;
      if (starved) break;
    }
    return bytes - stream_.avail_out;
  }

  void refill() {
    if (stream_.avail_in > 0) return;
    const int64_t count = std::min(kPiece, entry_.packed_bytes - taken_);
    if (count > 0) archive_.read_at(entry_.data + taken_, input_.data(), count);
    taken_ += count;
    stream_.next_in = input_.data();
    stream_.avail_in = static_cast<uInt>(count);
  }

  const ByteSource& archive_;
  const ZipEntry& entry_;
  bool checksum_, ended_ = false, stream_ended_ = false;
  uLong crc_;
  z_stream stream_{};
  std::vector<uint8_t> input_;
  int64_t taken_ = 0, done_ = 0;
};

ZipStream::ZipStream(const ByteSource& archive, const ZipEntry& entry, bool checksum)
    : state_(std::make_unique<State>(archive, entry, checksum)) {}
ZipStream::~ZipStream() = default;
int64_t ZipStream::left() const { return state_->left(); }
void ZipStream::read(void* to, int64_t bytes) { state_->read(static_cast<uint8_t*>(to), bytes); }
void ZipStream::finish() { state_->finish(); }

}  // namespace vitrail
