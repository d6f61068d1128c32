// ZIP archives built by hand, field by field: for what no writer would write.
#pragma once

#include <doctest/doctest.h>
#include <zlib.h>

#include <cstdint>
#include <string>
#include <vector>

namespace vitrail::testing {

inline void add_little_endian(std::string& out, uint64_t number, int bytes) {
  for (int i = 0; i < bytes; ++i) out.push_back(static_cast<char>(number >> (8 * i)));
}

// The bytes as a raw deflate stream.
inline std::string deflated(const std::string& plain) {
  z_stream stream{};
  REQUIRE(deflateInit2(&stream, 9, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string out(deflateBound(&stream, plain.size()) + 64, '\0'), in = plain;
  stream.next_in = reinterpret_cast<Bytef*>(in.data());
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.erase(out.end() - static_cast<std::ptrdiff_t>(stream.avail_out), out.end());
  deflateEnd(&stream);
  return out;
}

// One entry; what is not given follows from the content.
struct ZipMember {
  std::string name, content;
  bool packed = false;
  int method = -1;          // of the directory
  int flags = 0;            // of both headers
  int64_t bytes = -1;       // that the directory claims
  int64_t header = -1;      // where the directory says that the entry's own header is
  std::string own_name{};   // of the entry's own header
  bool broken_crc = false;  // in both headers
  bool no_crc = false;      // 0 in both, as torch writes without checksums
};

inline void add_sizes(std::string& out, const ZipMember& member, const std::string& data, int64_t bytes) {
  uint64_t crc = crc32(0, reinterpret_cast<const Bytef*>(member.content.data()), static_cast<uInt>(member.content.size()));
  crc = member.no_crc ? 0 : member.broken_crc ? crc ^ 1 : crc;
  add_little_endian(out, crc, 4);
  add_little_endian(out, data.size(), 4);
  add_little_endian(out, static_cast<uint64_t>(bytes), 4);
}

// The archive; `gap` lies between the entries and the directory.
inline std::string zip_file(const std::vector<ZipMember>& members, const std::string& comment = "",
                            const std::string& gap = "") {
  std::string out, directory;
  for (const ZipMember& member : members) {
    const std::string data = member.packed ? deflated(member.content) : member.content;
    const int own_method = member.packed ? 8 : 0, method = member.method < 0 ? own_method : member.method;
    const auto size = static_cast<int64_t>(member.content.size()), bytes = member.bytes < 0 ? size : member.bytes;
    const auto start = static_cast<int64_t>(out.size());
    const std::string own_name = member.own_name.empty() ? member.name : member.own_name;
    out += "PK\x03\x04";
    add_little_endian(out, 20, 2);
    add_little_endian(out, static_cast<uint64_t>(member.flags), 2);
    add_little_endian(out, static_cast<uint64_t>(method), 2);
    add_little_endian(out, 0, 4);
    add_sizes(out, member, data, bytes);
    add_little_endian(out, own_name.size(), 2);
    add_little_endian(out, 0, 2);
    out += own_name + data;
    directory += "PK\x01\x02";
    add_little_endian(directory, 20 | 20 << 16, 4);
    add_little_endian(directory, static_cast<uint64_t>(member.flags), 2);
    add_little_endian(directory, static_cast<uint64_t>(method), 2);
    add_little_endian(directory, 0, 4);
    add_sizes(directory, member, data, bytes);
    add_little_endian(directory, member.name.size(), 2);
    directory += std::string(12, '\0');
    add_little_endian(directory, static_cast<uint64_t>(member.header < 0 ? start : member.header), 4);
    directory += member.name;
  }
  out += gap;
  const size_t start = out.size();
  out += directory;
  out += std::string("PK\x05\x06\0\0\0\0", 8);
  add_little_endian(out, members.size(), 2);
  add_little_endian(out, members.size(), 2);
  add_little_endian(out, directory.size(), 4);
  add_little_endian(out, start, 4);
  add_little_endian(out, comment.size(), 2);
  return out + comment;
}

}  // namespace vitrail::testing
