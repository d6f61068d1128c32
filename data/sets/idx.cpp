#include "data/sets/idx.h"

#include <algorithm>

#include "base/gzip.h"
#include "tensor/view.h"

namespace vitrail {
namespace {

// What a packed file may unpack to beyond its own size before that is done twice: once to see whether it is whole, once into
// the tensor.
constexpr int64_t kTrusted = int64_t{32} << 20;
// Pictures shrink to a tenth, not to a thousandth: unpacking more than this is work for nothing, and it takes seconds.
constexpr int64_t kMaxRatio = 200, kAlwaysUnpacked = int64_t{64} << 20;
constexpr int64_t kPiece = int64_t{1} << 16;

int64_t size_of(IdxType type) {
  switch (type) {
    case IdxType::kU8:
    case IdxType::kI8: return 1;
    case IdxType::kI16: return 2;
    case IdxType::kI32:
    case IdxType::kF32: return 4;
    case IdxType::kF64: return 8;
  }
  return 0;
}

template <class... Parts>
void require(const ByteSource& source, bool rule, const Parts&... parts) {
  check(rule, ErrorKind::kData, "idx", source.name, ": ", parts...);
}

// The header at the beginning of `stream`.
IdxHeader read_header(const ByteSource& source, UnpackedStream& stream) {
  uint8_t magic[4] = {};
  const int64_t have = stream.read(magic, 4);
  require(source, have == 4, "too short for a magic number: it has ", have, " of 4 bytes");
  require(source, magic[0] == 0 && magic[1] == 0, "not an IDX file: it begins with bytes ", int{magic[0]}, " ", int{magic[1]},
          ", not 0 0");
  IdxHeader h;
  h.type = static_cast<IdxType>(magic[2]);
  require(source, size_of(h.type) > 0, "unknown type of elements: ", int{magic[2]}, ". Hint: 8 is unsigned bytes.");
  const int rank = magic[3];
  require(source, rank >= 1 && rank <= kMaxDims, "rank must be in [1, ", kMaxDims, "]: it is ", rank);
  uint8_t extents[4 * kMaxDims] = {};
  h.header_bytes = 4 + 4 * int64_t{rank};
  const int64_t more = stream.read(extents, 4 * int64_t{rank});
  require(source, more == 4 * rank, "the header is cut off: it has ", 4 + more, " of ", h.header_bytes, " bytes");
  // LAB 0.2 BEGIN  h.shape from `extents`: `rank` numbers of 4 bytes, most significant first, at least 1; then h.data_bytes
  for (int i = 0; i < rank; ++i) {
    const uint8_t* b = extents + 4 * i;
    const int64_t extent = int64_t{b[0]} << 24 | b[1] << 16 | b[2] << 8 | b[3];
    require(source, extent >= 1, "extent ", i, " must be positive: it is 0");
    h.shape.push_back(extent);
  }
  try {
    h.data_bytes = checked_bytes(h.shape, size_of(h.type), "idx");
  } catch (const Error&) {
    require(source, false, "the extents ", h.shape, " are too large");
  }
  // LAB 0.2 END
  return h;
}

// What the file cannot hold is refused from its size alone.
void check_promise(const ByteSource& source, const IdxHeader& h, bool packed) {
  const int64_t wanted = h.header_bytes + h.data_bytes;
  if (packed) {
    require(source, wanted / kMaxExpansion <= source.size, "cut off: extents ", h.shape, " need ", wanted, " unpacked bytes, ",
            source.size, " packed bytes cannot hold so many");
    require(source, wanted <= std::max(kAlwaysUnpacked, kMaxRatio * source.size), "extents ", h.shape, " need ", wanted,
            " unpacked bytes, more than ", kMaxRatio, " times the file's ", source.size, ": no pictures are packed so tightly");
  } else {
    require(source, source.size >= wanted, "cut off: extents ", h.shape, " need ", wanted, " bytes, there are ", source.size);
    require(source, source.size <= wanted, "extents ", h.shape, " need ", wanted, " bytes, there are more (", source.size, ")");
  }
}

void check_count(const ByteSource& source, const IdxHeader& h, int64_t have) {
  require(source, have == h.data_bytes, "cut off: extents ", h.shape, " need ", h.header_bytes + h.data_bytes,
          " unpacked bytes, there are ", h.header_bytes + have);
}

void check_end(const ByteSource& source, const IdxHeader& h, UnpackedStream& stream) {
  uint8_t more = 0;
  require(source, stream.read(&more, 1) == 0, "extents ", h.shape, " need ", h.header_bytes + h.data_bytes,
          " unpacked bytes, there are more");
}

// Elements of four bytes to i64, piece by piece.
Tensor read_integers(const ByteSource& source, const IdxHeader& h, UnpackedStream& stream) {
  Tensor result = empty(h.shape, Dtype::i64, "idx");
  int64_t* out = result.mutable_data<int64_t>();
  std::vector<uint8_t> piece(static_cast<size_t>(kPiece));
  for (int64_t done = 0; done < h.data_bytes;) {
    const int64_t count = stream.read(piece.data(), std::min(kPiece, h.data_bytes - done));
    if (count == 0 || count % 4 != 0) check_count(source, h, done + count);
    for (int64_t i = 0; i < count; i += 4) {
      const uint8_t* b = piece.data() + i;
      *out++ = static_cast<int32_t>(uint32_t{b[0]} << 24 | uint32_t{b[1]} << 16 | uint32_t{b[2]} << 8 | b[3]);
    }
    done += count;
  }
  return result;
}

Tensor read_bytes(const ByteSource& source, const IdxHeader& h, UnpackedStream& stream) {
  Tensor result = empty(h.shape, Dtype::u8, "idx");
  check_count(source, h, stream.read(result.mutable_data<uint8_t>(), h.data_bytes));
  return result;
}

}  // namespace

const char* name_of(IdxType type) {
  switch (type) {
    case IdxType::kU8: return "u8";
    case IdxType::kI8: return "i8";
    case IdxType::kI16: return "i16";
    case IdxType::kI32: return "i32";
    case IdxType::kF32: return "f32";
    case IdxType::kF64: return "f64";
  }
  return "?";
}

IdxHeader check_idx(const ByteSource& source) {
  UnpackedStream stream(source);
  const IdxHeader h = read_header(source, stream);
  check_promise(source, h, stream.is_packed());
  check_count(source, h, stream.skip(h.data_bytes));
  check_end(source, h, stream);
  return h;
}

IdxHeader check_idx(const std::string& path) {
  const InputFile file(path);
  return check_idx(source_of(file));
}

Tensor decode_idx(const ByteSource& source, int rank) {
  check(rank >= 1 && rank <= kMaxDims, ErrorKind::kValue, "idx", "rank must be in [1, ", kMaxDims, "]: it is ", rank);
  UnpackedStream stream(source);
  const IdxHeader h = read_header(source, stream);
  require(source, h.type == IdxType::kU8 || h.type == IdxType::kI32,
          "elements must be unsigned bytes (type 8) or 32-bit integers (type 12): their type is ", static_cast<int>(h.type));
  require(source, static_cast<int>(h.shape.size()) == rank, "rank must be ", rank, rank == 3 ? " (images)" : "",
          rank == 1 ? " (labels)" : "", ": it is ", h.shape.size());
  check_promise(source, h, stream.is_packed());
  if (stream.is_packed() && h.data_bytes > source.size + kTrusted) check_idx(source);
  Tensor result = h.type == IdxType::kU8 ? read_bytes(source, h, stream) : read_integers(source, h, stream);
  check_end(source, h, stream);
  return result;
}

Tensor decode_idx(const std::vector<uint8_t>& bytes, const std::string& name, int rank) {
  return decode_idx(source_of(bytes, name), rank);
}

Tensor read_idx(const std::string& path, int rank) {
  const InputFile file(path);
  return decode_idx(source_of(file), rank);
}

Tensor read_idx_picture(const std::string& path, int64_t index) {
  const InputFile file(path);
  const ByteSource source = source_of(file);
  UnpackedStream stream(source);
  const IdxHeader h = read_header(source, stream);
  require(source, h.type == IdxType::kU8 && h.shape.size() == 3, "no pictures: they are u8 of rank 3, here is ",
          name_of(h.type), " of rank ", h.shape.size());
  check(index >= 0 && index < h.shape[0], ErrorKind::kValue, "idx", source.name, ": the number of a picture is outside [0, ",
        h.shape[0], "): it is ", index);
  check_promise(source, h, stream.is_packed());
  const int64_t bytes = h.shape[1] * h.shape[2];
  if (stream.is_packed() && bytes > source.size + kTrusted) check_idx(source);
  const int64_t before = stream.skip(index * bytes);
  Tensor picture = empty({1, h.shape[1], h.shape[2]}, Dtype::u8, "idx");
  const int64_t own = stream.read(picture.mutable_data<uint8_t>(), bytes);
  check_count(source, h, before + own + stream.skip(h.data_bytes - before - own));
  check_end(source, h, stream);
  return picture;
}

}  // namespace vitrail
