#include "models/weights/formats/shards.h"

#include <set>

#include "base/error.h"
#include "base/json.h"
#include "base/text.h"

namespace vitrail {
namespace {

constexpr const char* kOp = "weights";
constexpr int64_t kMaxIndex = int64_t{16} << 20;
constexpr size_t kMaxName = 255;  // of a file

void check_file_name(const ByteSource& source, const std::string& name) {
  const bool plain =
      !name.empty() && name.size() <= kMaxName && name != "." && name != ".." && name.find_first_of("/\\") == std::string::npos;
  check(plain, ErrorKind::kData, kOp, source.name, ": shards lie beside their index: ", quote(name), " is no plain file name");
}

}  // namespace

ShardIndex read_shard_index(const ByteSource& source) {
  check(source.size <= kMaxIndex, ErrorKind::kData, kOp, source.name, ": an index of ", source.size, " bytes, at most ",
        kMaxIndex);
  std::string text(static_cast<size_t>(source.size), '\0');
  source.read_at(0, text.data(), source.size);
  const JsonDocument document(text, source.name);
  JsonObject index(document.root(), source.name, "", ErrorKind::kData);
  JsonObject map(index.value("weight_map"), source.name, "weight_map", ErrorKind::kData);
  ShardIndex result;
  std::set<std::string> files;
  for (const std::string& tensor : map.keys()) {
    const std::string file = map.text(tensor);
    check_file_name(source, file);
    result.file_of[tensor] = file;
    files.insert(file);
  }
  check(!files.empty(), ErrorKind::kData, kOp, source.name, ": weight_map names no tensor");
  result.files.assign(files.begin(), files.end());
  return result;
}

}  // namespace vitrail
