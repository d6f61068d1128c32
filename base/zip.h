// ZIP archives (PKWARE's APPNOTE 6.3): the container of torch's and NumPy's files. Read through the central directory, with
// ZIP64; entries are stored as they are or packed by deflate. Nothing is ever written to disk, so names are only words.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/byte_source.h"

namespace vitrail {

struct ZipEntry {
  std::string name;
  int64_t bytes = 0;         // of its content
  int64_t packed_bytes = 0;  // in the archive; equal to `bytes` if the entry is stored as it is
  bool packed = false;       // by deflate
  uint32_t unix_mode = 0;    // file type and permissions where a Unix program wrote the archive; 0 elsewhere
  uint32_t crc = 0;          // CRC-32 of the content
  int64_t header = 0;        // the byte of the archive at which the entry's own header begins
  int64_t data = 0;          // ... and its data
};

// The list of entries. Limits: 100,000 entries, names of 1 to 1024 bytes of UTF-8, a directory of at most 24 MiB; contents of
// packed entries of at most kMaxExpansion (base/gzip.h) times their packed size each, and of 8 times the size of the file plus
// 32 MiB in all.
class ZipArchive {
 public:
  // Error(kData) naming the source if there is no central directory (a cut download), if a name stands twice, if entries
  // overlap or lie outside the file, if an entry's own header says something else than the directory, or for what is not read:
  // encryption, other methods than deflate, archives in several files.
  explicit ZipArchive(const ByteSource& source);

  const ByteSource& source() const { return source_; }
  const std::vector<ZipEntry>& entries() const { return entries_; }  // in the order of the directory
  const ZipEntry* find(const std::string& name) const;               // null if there is none

 private:
  void read_directory(int64_t begin, int64_t bytes, int64_t count);
  void read_header(ZipEntry& entry, uint16_t flags, uint16_t method) const;
  void check_places(int64_t directory) const;
  void check_expansion() const;

  ByteSource source_;
  std::vector<ZipEntry> entries_;
  std::unordered_map<std::string, size_t> by_name_;
};

// The content of one entry from its beginning.
class ZipStream {
 public:
  // Without `checksum` the CRC is not compared.
  ZipStream(const ByteSource& archive, const ZipEntry& entry, bool checksum = true);
  ~ZipStream();
  ZipStream(const ZipStream&) = delete;
  ZipStream& operator=(const ZipStream&) = delete;

  int64_t left() const;  // bytes of content that have not been read
  // Reads exactly `bytes` bytes. Error(kData) naming archive and entry if fewer are left, or if the packed data is damaged. The
  // read that reaches the end compares the CRC, and checks that the packed data ends there too.
  void read(void* to, int64_t bytes);
  // Reads what is left and drops it: a whole entry is checked without being kept.
  void finish();

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace vitrail
