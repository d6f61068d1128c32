#include "base/zip.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "base/gzip.h"
#include "base/text.h"

namespace vitrail {
namespace {

constexpr const char* kOp = "zip";
constexpr uint32_t kEntrySignature = 0x04034b50, kDirectorySignature = 0x02014b50;
constexpr uint32_t kEndSignature = 0x06054b50, kEnd64Signature = 0x06064b50, kLocator64Signature = 0x07064b50;
constexpr int64_t kEntryBytes = 30, kDirectoryBytes = 46, kEndBytes = 22, kEnd64Bytes = 56, kLocator64Bytes = 20;
constexpr int64_t kMaxComment = 65535, kMaxEntries = 100'000, kMaxDirectory = int64_t{24} << 20;
constexpr size_t kMaxName = 1024;
constexpr int64_t kMaxTotalFactor = 8, kMaxTotalExtra = int64_t{32} << 20;
constexpr uint16_t kEncrypted = 1, kSizesBehind = 8, kStored = 0, kDeflate = 8, kZip64Field = 1, kUnix = 3;
constexpr uint32_t kIn64 = 0xffffffff;  // a size or offset that stands in the ZIP64 field

template <class... Parts>
void require(bool rule, const ByteSource& source, const Parts&... parts) {
  check(rule, ErrorKind::kData, kOp, source.name, ": ", parts...);
}

// Little-endian numbers of a piece of the file, one after another.
class Fields {
 public:
  Fields(const uint8_t* data, int64_t bytes) : at_(data), end_(data + bytes) {}
  int64_t left() const { return end_ - at_; }
  const uint8_t* place() const { return at_; }
  void skip(int64_t bytes) { at_ += bytes; }
  uint16_t u16() { return number<uint16_t>(); }
  uint32_t u32() { return number<uint32_t>(); }
  uint64_t u64() { return number<uint64_t>(); }

 private:
  template <class T>
  T number() {
    T value;
    std::memcpy(&value, at_, sizeof value);  // the caller has checked left()
    at_ += sizeof value;
    return value;
  }
  const uint8_t* at_;
  const uint8_t* end_;
};

std::vector<uint8_t> piece(const ByteSource& source, int64_t offset, int64_t bytes) {
  std::vector<uint8_t> data(static_cast<size_t>(bytes));
  source.read_at(offset, data.data(), bytes);
  return data;
}

struct Directory {
  int64_t begin = 0, bytes = 0, count = 0;
  int64_t end_record = 0;  // where the first record behind it begins
};

// The end record is the last of the file; only a comment of its announced length may follow.
int64_t find_end_record(const ByteSource& source) {
  const int64_t tail_bytes = std::min(source.size, kEndBytes + kMaxComment);
  const std::vector<uint8_t> tail = piece(source, source.size - tail_bytes, tail_bytes);
  for (int64_t at = tail_bytes - kEndBytes; at >= 0; --at) {
    Fields fields(tail.data() + at, tail_bytes - at);
    if (fields.u32() != kEndSignature) continue;
    fields.skip(16);
    if (fields.u16() == tail_bytes - at - kEndBytes) return source.size - tail_bytes + at;
  }
  require(false, source, "truncated: a ZIP archive without its central directory, which stands at the end. ",
          "Hint: the download was cut; repeat it.");
  return 0;
}

// The 64-bit form of the end record, which a locator in front of the plain one points to.
bool read_end64(const ByteSource& source, int64_t end_record, Directory& directory) {
  if (end_record < kLocator64Bytes) return false;
  const std::vector<uint8_t> locator = piece(source, end_record - kLocator64Bytes, kLocator64Bytes);
  Fields fields(locator.data(), kLocator64Bytes);
  if (fields.u32() != kLocator64Signature) return false;
  fields.skip(4);
  const uint64_t at = fields.u64();
  const int64_t latest = end_record - kLocator64Bytes - kEnd64Bytes;
  require(latest >= 0 && at <= static_cast<uint64_t>(latest) && fields.u32() <= 1, source,
          "the ZIP64 end record is not where its locator says");
  const std::vector<uint8_t> record = piece(source, static_cast<int64_t>(at), kEnd64Bytes);
  Fields end(record.data(), kEnd64Bytes);
  const bool marked = end.u32() == kEnd64Signature;
  end.skip(12);  // size of the record, versions
  const uint32_t disk = end.u32(), first_disk = end.u32();
  const uint64_t here = end.u64(), count = end.u64(), bytes = end.u64(), begin = end.u64();
  require(marked && disk == 0 && first_disk == 0 && here == count, source, "the ZIP64 end record is damaged");
  const auto size = static_cast<uint64_t>(source.size);
  require(begin <= size && bytes <= size && count <= size, source, "the central directory lies outside the file");
  directory = {static_cast<int64_t>(begin), static_cast<int64_t>(bytes), static_cast<int64_t>(count), static_cast<int64_t>(at)};
  return true;
}

Directory find_directory(const ByteSource& source) {
  require(source.size >= kEndBytes, source, "too short for a ZIP archive: ", source.size, " bytes");
  const int64_t end_record = find_end_record(source);
  const std::vector<uint8_t> record = piece(source, end_record, kEndBytes);
  Fields end(record.data(), kEndBytes);
  end.skip(4);
  const uint16_t disk = end.u16(), first_disk = end.u16(), here = end.u16(), count = end.u16();
  const uint32_t bytes = end.u32(), begin = end.u32();
  Directory directory{begin, bytes, count, end_record};
  const bool wide = read_end64(source, end_record, directory);
  const auto agrees = [&](uint64_t narrow, int64_t value, uint64_t all_ones) {
    return narrow == static_cast<uint64_t>(value) || (wide && narrow == all_ones);
  };
  require(agrees(disk, 0, 0xffff) && agrees(first_disk, 0, 0xffff) && agrees(here, directory.count, 0xffff), source,
          "an archive in several files is not read");
  require(
      agrees(count, directory.count, 0xffff) && agrees(bytes, directory.bytes, kIn64) && agrees(begin, directory.begin, kIn64),
      source, "the two end records differ");
  require(directory.bytes <= kMaxDirectory && directory.count <= kMaxEntries, source, "too many entries: ", directory.count,
          " in a directory of ", directory.bytes, " bytes");
  require(directory.begin + directory.bytes == directory.end_record, source, "the central directory ends at byte ",
          directory.begin + directory.bytes, ", its end record begins at ", directory.end_record);
  return directory;
}

// Sizes and offset of 32 bits, and those of 64 bits that stand in the extra field in their place.
void read_wide_numbers(const ByteSource& source, Fields extra, uint64_t (&numbers)[3]) {
  const bool needed = std::ranges::any_of(numbers, [](uint64_t n) { return n == kIn64; });
  while (needed && extra.left() >= 4) {
    const uint16_t id = extra.u16(), bytes = extra.u16();
    require(bytes <= extra.left(), source, "a field of the central directory is cut");
    if (id != kZip64Field) {
      extra.skip(bytes);
      continue;
    }
    Fields field(extra.place(), bytes);
    for (uint64_t& number : numbers) {
      if (number != kIn64) continue;
      require(field.left() >= 8, source, "a ZIP64 field is cut");
      number = field.u64();
    }
    return;
  }
}

}  // namespace

ZipArchive::ZipArchive(const ByteSource& source) : source_(source) {
  const Directory directory = find_directory(source_);
  read_directory(directory.begin, directory.bytes, directory.count);
  check_places(directory.begin);
  check_expansion();
}

void ZipArchive::read_directory(int64_t begin, int64_t bytes, int64_t count) {
  const std::vector<uint8_t> text = piece(source_, begin, bytes);
  Fields fields(text.data(), bytes);
  for (int64_t i = 0; i < count; ++i) {
    require(fields.left() >= kDirectoryBytes && fields.u32() == kDirectorySignature, source_, "entry ", i,
            " of the central directory is damaged");
    const uint16_t made_by = fields.u16();
    fields.skip(2);  // version needed
    ZipEntry entry;
    const uint16_t flags = fields.u16(), method = fields.u16();
    fields.skip(4);  // time and date
    entry.crc = fields.u32();
    const uint32_t packed_bytes = fields.u32(), content_bytes = fields.u32();
    const uint16_t name_bytes = fields.u16(), extra_bytes = fields.u16(), comment_bytes = fields.u16(), disk = fields.u16();
    fields.skip(2);  // text or binary
    const uint32_t attributes = fields.u32();
    if (made_by >> 8 == kUnix) entry.unix_mode = attributes >> 16;
    uint64_t numbers[3] = {content_bytes, packed_bytes, fields.u32()};
    require(fields.left() >= int64_t{name_bytes} + extra_bytes + comment_bytes && disk == 0, source_, "entry ", i,
            " of the central directory is damaged");
    entry.name.assign(reinterpret_cast<const char*>(fields.place()), name_bytes);
    fields.skip(name_bytes);
    read_wide_numbers(source_, Fields(fields.place(), extra_bytes), numbers);
    fields.skip(int64_t{extra_bytes} + comment_bytes);
    for (const uint64_t number : numbers)
      require(number <= uint64_t{1} << 62, source_, "entry ", quote(entry.name), " claims ", number, " bytes");
    entry.bytes = static_cast<int64_t>(numbers[0]), entry.packed_bytes = static_cast<int64_t>(numbers[1]);
    entry.header = static_cast<int64_t>(numbers[2]);
    read_header(entry, flags, method);
    require(by_name_.emplace(entry.name, entries_.size()).second, source_, "the entry ", quote(entry.name), " stands twice");
    entries_.push_back(std::move(entry));
  }
  require(fields.left() == 0, source_, fields.left(), " bytes follow the last entry of the central directory");
}

// The entry's own header, in front of its data: it must tell the same as the directory.
void ZipArchive::read_header(ZipEntry& entry, uint16_t flags, uint16_t method) const {
  const std::string name = quote(entry.name);
  require(
      !entry.name.empty() && entry.name.size() <= kMaxName && is_utf8(entry.name) && entry.name.find('\0') == std::string::npos,
      source_, "the name of an entry must be 1 to ", kMaxName, " bytes of UTF-8: ", name);
  require((flags & kEncrypted) == 0, source_, "entry ", name, " is encrypted");
  require(method == kStored || method == kDeflate, source_, "entry ", name, " is packed by method ", method,
          "; stored entries and deflate are read");
  entry.packed = method == kDeflate;
  require(entry.packed || entry.packed_bytes == entry.bytes, source_, "entry ", name, " is stored, but has ",
          entry.packed_bytes, " bytes for ", entry.bytes);
  require(entry.header <= source_.size - kEntryBytes, source_, "entry ", name, " lies outside the file");
  const std::vector<uint8_t> header = piece(source_, entry.header, kEntryBytes);
  Fields fields(header.data(), kEntryBytes);
  const bool marked = fields.u32() == kEntrySignature;
  fields.skip(2);  // version
  const uint16_t own_flags = fields.u16(), own_method = fields.u16();
  fields.skip(4);  // time and date
  const uint32_t own_crc = fields.u32(), own_packed = fields.u32(), own_bytes = fields.u32();
  const uint16_t name_bytes = fields.u16(), extra_bytes = fields.u16();
  const bool same_flags = ((own_flags ^ flags) & (kEncrypted | kSizesBehind)) == 0;
  const bool named = marked && own_method == method && same_flags && name_bytes == entry.name.size();
  require(named, source_, "entry ", name, ": its header differs from the central directory");
  entry.data = entry.header + kEntryBytes + name_bytes + extra_bytes;
  require(entry.data <= source_.size && entry.packed_bytes <= source_.size - entry.data, source_, "entry ", name,
          " lies outside the file");
  const std::vector<uint8_t> own_name = piece(source_, entry.header + kEntryBytes, name_bytes);
  const bool sizes_here = (flags & kSizesBehind) == 0 && own_packed != kIn64 && own_bytes != kIn64;
  const bool same_sizes = own_packed == static_cast<uint64_t>(entry.packed_bytes) &&
                          own_bytes == static_cast<uint64_t>(entry.bytes) && own_crc == entry.crc;
  require(std::memcmp(own_name.data(), entry.name.data(), name_bytes) == 0 && (!sizes_here || same_sizes), source_, "entry ",
          name, ": its header differs from the central directory");
}

// No two entries share a byte, and none reaches into the directory.
void ZipArchive::check_places(int64_t directory) const {
  std::vector<const ZipEntry*> order;
  for (const ZipEntry& entry : entries_) order.push_back(&entry);
  std::ranges::sort(order, {}, &ZipEntry::header);
  int64_t place = 0;
  for (const ZipEntry* entry : order) {
    require(entry->header >= place, source_, "entry ", quote(entry->name), " overlaps the one before");
    place = entry->data + entry->packed_bytes;
  }
  require(place <= directory, source_, "the last entry overlaps the central directory");
}

void ZipArchive::check_expansion() const {
  const int64_t most = kMaxTotalFactor * source_.size + kMaxTotalExtra;
  int64_t total = 0;
  for (const ZipEntry& entry : entries_) {
    if (!entry.packed) continue;
    const bool possible = entry.bytes / kMaxExpansion <= entry.packed_bytes;
    require(possible && entry.bytes <= most - total, source_, "entry ", quote(entry.name), " claims ", entry.bytes,
            " bytes from ", entry.packed_bytes, ": packed entries may expand to ", most,
            " bytes in all. Hint: pack it again without compression.");
    total += entry.bytes;
  }
}

const ZipEntry* ZipArchive::find(const std::string& name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : &entries_[found->second];
}

}  // namespace vitrail
