#include "base/zip_writer.h"

#include <zlib.h>

#include <set>

#include "base/error.h"
#include "base/text.h"

namespace vitrail {
namespace {

constexpr uint32_t kEntrySignature = 0x04034b50, kDirectorySignature = 0x02014b50, kEndSignature = 0x06054b50;
constexpr uint16_t kVersion = 20, kUtf8Names = 1 << 11, kFirstDay = 33;  // 1980-01-01

class Bytes {
 public:
  void u16(uint64_t value) { put(value, 2); }
  void u32(uint64_t value) { put(value, 4); }
  void text(const std::string& text) { data.insert(data.end(), text.begin(), text.end()); }
  std::vector<uint8_t> data;

 private:
  void put(uint64_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) data.push_back(static_cast<uint8_t>(value >> (8 * i)));
  }
};

// The fields that an entry's own header and the directory share.
void put_common(Bytes& out, const std::string& name, const std::string& content) {
  const auto* bytes = reinterpret_cast<const Bytef*>(content.data());
  out.u16(kVersion), out.u16(kUtf8Names), out.u16(0), out.u16(0), out.u16(kFirstDay);
  out.u32(crc32(crc32(0, nullptr, 0), bytes, static_cast<uInt>(content.size())));
  out.u32(content.size()), out.u32(content.size()), out.u16(name.size()), out.u16(0);
}

}  // namespace

std::vector<uint8_t> zip_of(const std::vector<std::pair<std::string, std::string>>& entries) {
  check(entries.size() <= 65535, ErrorKind::kValue, "zip", "too many entries: ", entries.size());
  Bytes out, directory;
  std::set<std::string> names;
  for (const auto& [name, content] : entries) {
    check(!name.empty() && name.size() <= 65535 && names.insert(name).second, ErrorKind::kValue, "zip", "the name ",
          quote(name), " is empty or stands twice");
    check(content.size() < (uint64_t{1} << 32) && out.data.size() < (uint64_t{1} << 31), ErrorKind::kValue, "zip", "entry ",
          quote(name), " is too large");
    const size_t place = out.data.size();
    out.u32(kEntrySignature);
    put_common(out, name, content);
    out.text(name), out.text(content);
    directory.u32(kDirectorySignature), directory.u16(kVersion);
    put_common(directory, name, content);
    directory.u16(0), directory.u16(0), directory.u16(0), directory.u32(0), directory.u32(place);
    directory.text(name);
  }
  const size_t begin = out.data.size();
  out.data.insert(out.data.end(), directory.data.begin(), directory.data.end());
  out.u32(kEndSignature), out.u16(0), out.u16(0), out.u16(entries.size()), out.u16(entries.size());
  out.u32(directory.data.size()), out.u32(begin), out.u16(0);
  return out.data;
}

}  // namespace vitrail
