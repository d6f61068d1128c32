#include "base/byte_source.h"

#include <cstring>

namespace vitrail {

ByteSource source_of(const InputFile& file) {
  return {escaped_path(file.path()), file.size(),
          [&file](int64_t offset, void* to, int64_t bytes) { file.read_at(offset, to, bytes); }};
}

ByteSource source_of(std::span<const uint8_t> bytes, const std::string& name) {
  return {escaped_path(name), static_cast<int64_t>(bytes.size()), [bytes](int64_t offset, void* to, int64_t count) {
            if (count > 0) std::memcpy(to, bytes.data() + offset, static_cast<size_t>(count));
          }};
}

}  // namespace vitrail
