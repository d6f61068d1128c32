#include "models/weights/formats/file_kind.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "base/error.h"
#include "base/text.h"

namespace vitrail {
namespace {

using namespace std::string_view_literals;

constexpr const char* kOp = "weights";
constexpr int64_t kStart = 512;  // bytes that are looked at: a tar archive has its mark at byte 257
constexpr const char* kReadFormats = "neither of the formats that are read: safetensors, torch .pt or .pth, NumPy .npz";

template <class... Parts>
[[noreturn]] void refuse(const ByteSource& source, const Parts&... parts) {
  fail(ErrorKind::kData, kOp, source.name, ": ", parts...);
}

// Marks of formats that are not read.
struct Mark {
  int64_t at;
  std::string_view bytes;
  const char* kind;
};
constexpr Mark kMarks[] = {
    {257, "ustar"sv, "a tar archive"},
    {0, "\x1f\x8b"sv, "a gzip file"},
    {0, "BZh"sv, "a bzip2 file"},
    {0,
     "\xfd"
     "7zXZ"sv,
     "an xz file"},
    {0, "\x28\xb5\x2f\xfd"sv, "a zstd file"},
    {0, "7z\xbc\xaf\x27\x1c"sv, "a 7z archive"},
    {0, "Rar!"sv, "a RAR archive"},
    {0, "\x89HDF"sv, "an HDF5 file (Keras, TensorFlow)"},
    {4, "TFL3"sv, "a TensorFlow Lite model"},
    {0, "GGUF"sv, "a GGUF file"},
    {0, "\x89PNG"sv, "a PNG picture"},
    {0, "\xff\xd8\xff"sv, "a JPEG picture"},
    {0, "%PDF"sv, "a PDF document"},
};

bool has_mark(std::string_view start, const Mark& mark) {
  const auto at = static_cast<size_t>(mark.at);
  return start.size() >= at + mark.bytes.size() && start.substr(at, mark.bytes.size()) == mark.bytes;
}

// A git-lfs pointer has lines "version URL", "oid sha256:...", "size 346321".
[[noreturn]] void refuse_pointer(const ByteSource& source, std::string_view start) {
  const size_t at = start.find("\nsize ");
  std::string size = "an unknown number of";
  if (at != std::string_view::npos) {
    const std::string_view rest = start.substr(at + 6);
    size = escaped(std::string(rest.substr(0, rest.find('\n'))), 20);
  }
  refuse(source, "this is a git-lfs pointer to ", size, " bytes, not the file itself. Hint: git lfs pull.");
}

// The first byte of a text, behind a byte order mark and white space.
char first_character(std::string_view start) {
  if (start.starts_with("\xef\xbb\xbf")) start.remove_prefix(3);
  const size_t at = start.find_first_not_of(" \t\r\n");
  return at == std::string_view::npos ? '\0' : start[at];
}

bool is_shard_index(const ByteSource& source) {
  std::string head(static_cast<size_t>(std::min<int64_t>(source.size, int64_t{1} << 20)), '\0');
  source.read_at(0, head.data(), static_cast<int64_t>(head.size()));
  return head.find("\"weight_map\"") != std::string::npos;
}

// ONNX and TensorFlow are protocol buffers that begin with their version: field 1, a number.
[[noreturn]] void refuse_unknown(const ByteSource& source, std::string_view start) {
  const bool version = start[0] == 0x08 && start[1] > 0 && start[1] < 32;
  if (version && start[1] == 1 && start[2] == 0x12) refuse(source, "a TensorFlow model, ", kReadFormats);
  if (version && (start[2] == 0x12 || start[2] == 0x3a || start[2] == 0x42)) refuse(source, "an ONNX model, ", kReadFormats);
  refuse(source, kReadFormats, ". It starts with ", quote(std::string(start.substr(0, 8)), 40), ".");
}

}  // namespace

FileKind recognise_file(const ByteSource& source) {
  if (source.size == 0) refuse(source, "the file is empty: 0 bytes");
  std::string bytes(static_cast<size_t>(std::min(source.size, kStart)), '\0');
  source.read_at(0, bytes.data(), static_cast<int64_t>(bytes.size()));
  const std::string_view start = bytes;
  if (start.starts_with("version https://")) refuse_pointer(source, start);
  if (start.starts_with("PK\x03\x04"sv)) return FileKind::kZip;
  if (start.starts_with("PK\x05\x06"sv)) refuse(source, "an empty ZIP archive");
  uint64_t length = 0;  // of the header, if it is a safetensors file: its text starts with {
  if (start.size() >= 8) std::memcpy(&length, start.data(), 8);
  if (start.size() > 8 && start[8] == '{' && length < uint64_t{1} << 40) return FileKind::kSafetensors;
  if (start.size() > 2 && start[0] == '\x80' && start[1] >= 2 && start[1] <= 5) return FileKind::kPickle;
  if (start.starts_with("\x93NUMPY"sv))
    refuse(source, "a single NumPy array (.npy), not named weights. Hint: np.savez makes an .npz.");
  for (const Mark& mark : kMarks)
    if (has_mark(start, mark)) refuse(source, mark.kind, ", ", kReadFormats);
  if (first_character(start) == '<') refuse(source, "this is an HTML page, not weights. Hint: download the file itself again.");
  if (first_character(start) == '{') {
    if (is_shard_index(source)) return FileKind::kShardIndex;
    refuse(source, "a JSON text, ", kReadFormats, ". Hint: give the folder, or the file of weights.");
  }
  if (start.size() < 9) refuse(source, "only ", source.size, " bytes, ", kReadFormats);
  refuse_unknown(source, start);
}

}  // namespace vitrail
