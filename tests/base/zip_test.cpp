// ZIP archives: what is read, and that no lie of a directory is believed.
#include "base/zip.h"

#include <doctest/doctest.h>

#include "base/error.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/zip_file.h"

using namespace vitrail;
using namespace vitrail::testing;

namespace {

ByteSource source_of_text(const std::string& bytes) {
  return source_of({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}, "test.zip");
}

std::string content(const ZipArchive& archive, const std::string& name) {
  const ZipEntry* entry = archive.find(name);
  REQUIRE(entry != nullptr);
  std::string text(static_cast<size_t>(entry->bytes), '\0');
  ZipStream stream(archive.source(), *entry);
  const int64_t half = entry->bytes / 2;
  stream.read(text.data(), half);
  CHECK(stream.left() == entry->bytes - half);
  stream.read(text.data() + half, entry->bytes - half);
  return text;
}

// Reads every entry to its end.
void read_all(const std::string& bytes) {
  const ByteSource source = source_of_text(bytes);
  const ZipArchive archive(source);
  for (const ZipEntry& entry : archive.entries()) ZipStream(source, entry).finish();
}

bool refused(const std::string& bytes, const std::string& part) {
  const auto error = error_of([&] { read_all(bytes); });
  if (!error || std::string(error->what()).find(part) == std::string::npos)
    MESSAGE("expected ", part, ", got: ", error ? std::string(error->what()) : "nothing");
  return refuses([&] { read_all(bytes); }, ErrorKind::kData, part);
}

std::string noise(size_t bytes) {
  std::string text(bytes, '\0');
  uint32_t state = 1;
  for (char& c : text) c = static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
  return text;
}

}  // namespace

TEST_CASE("a ZIP archive gives its entries, stored or packed, in pieces of any size") {
  const std::string large = noise(200'000);
  for (const std::string& comment : {std::string(), std::string("made by hand")}) {
    const std::string bytes =
        zip_file({{"a/stored", "hello"}, {"packed", large, true}, {"empty", ""}, {"nothing", "", true}}, comment);
    const ByteSource source = source_of_text(bytes);
    const ZipArchive archive(source);
    CHECK(archive.entries().size() == 4);
    CHECK(content(archive, "a/stored") == "hello");
    CHECK(content(archive, "packed") == large);
    CHECK(content(archive, "empty").empty());
    CHECK(content(archive, "nothing").empty());
    CHECK(archive.find("absent") == nullptr);
    CHECK_NOTHROW(read_all(bytes));
  }
}

TEST_CASE("a ZIP archive that was cut anywhere, or has bytes behind it, is refused") {
  const std::string bytes = zip_file({{"one", "hello"}, {"two", noise(100), true}});
  for (size_t length = 0; length < bytes.size(); ++length)
    CHECK(refuses([&] { read_all(bytes.substr(0, length)); }, ErrorKind::kData, ""));
  CHECK(refused(bytes.substr(0, bytes.size() - 30), "truncated: a ZIP archive without its central directory"));
  CHECK(refused(bytes + "x", "truncated"));
  CHECK(refused("x" + bytes, "its end record begins at"));
  CHECK(refused("PK", "too short for a ZIP archive: 2 bytes"));
}

TEST_CASE("damaged content of a ZIP entry is found by its checksum or by deflate") {
  CHECK(refused(zip_file({{.name = "a", .content = "hello", .broken_crc = true}}), "its checksum differs"));
  CHECK(refused(zip_file({{.name = "a", .content = noise(500), .packed = true, .broken_crc = true}}), "its checksum differs"));
  std::string bytes = zip_file({{"a", noise(500), true}});
  bytes[31 + 20] = static_cast<char>(bytes[31 + 20] ^ 0x55);
  CHECK(refuses([&] { read_all(bytes); }, ErrorKind::kData, "damaged"));
  const std::string unchecked = zip_file({{.name = "a", .content = "hello", .broken_crc = true}});
  const ByteSource source = source_of_text(unchecked);
  const ZipArchive archive(source);
  CHECK_NOTHROW(ZipStream(source, archive.entries()[0], false).finish());
}

TEST_CASE("a ZIP directory that claims other sizes than there are is refused") {
  const std::string text(1000, 'x');
  CHECK(refused(zip_file({{.name = "a", .content = text, .packed = true, .bytes = 999}}), "goes on behind the 999 bytes"));
  CHECK(refused(zip_file({{.name = "a", .content = text, .packed = true, .bytes = 1001}}), "it ends after 1000 of 1001 bytes"));
  CHECK(refused(zip_file({{.name = "a", .content = text, .bytes = 1001}}), "is stored, but has 1000 bytes for 1001"));
  CHECK(refused(zip_file({{.name = "a", .content = text, .packed = true, .bytes = 4'000'000'000}}), "claims 4000000000 bytes"));
}

TEST_CASE("a ZIP bomb is refused by what it claims, before anything is unpacked") {
  const std::string zeros(size_t{40} << 20, '\0');
  CHECK(refused(zip_file({{"a", zeros, true}}), "packed entries may expand to"));
  CHECK_NOTHROW(read_all(zip_file({{"a", zeros.substr(0, size_t{30} << 20), true}})));
}

TEST_CASE("ZIP entries that overlap, stand twice, or lie elsewhere are refused") {
  CHECK(refused(zip_file({{"a", "hello"}, {.name = "a", .content = "hello"}}), "the entry \"a\" stands twice"));
  CHECK(refused(zip_file({{"a", "hello"}, {.name = "b", .content = "hello", .header = 0}}),
                "differs from the central directory"));
  CHECK(refused(zip_file({{"a", "hello"}, {.name = "a", .content = "hello", .header = 0}}), "stands twice"));
  CHECK(refused(zip_file({{.name = "a", .content = "hello", .header = 4'000'000}}), "lies outside the file"));
  CHECK(refused(zip_file({{.name = "a", .content = "hello", .own_name = "b"}}), "differs from the central directory"));
  const std::string inner = zip_file({{"b", "12345"}});  // an entry inside another's content
  const std::string outer = zip_file({{"a", inner}, {.name = "b", .content = "12345", .header = 31}});
  CHECK(refused(outer, "overlaps the one before"));
}

TEST_CASE("what is not read of ZIP is called by name") {
  CHECK(refused(zip_file({{.name = "a", .content = "x", .flags = 1}}), "is encrypted"));
  CHECK(refused(zip_file({{.name = "a", .content = "x", .method = 93}}), "packed by method 93"));
  CHECK(refused(zip_file({{.name = "", .content = "x"}}), "the name of an entry must be 1 to 1024 bytes"));
  CHECK(refused(zip_file({{.name = "\xff\xfe", .content = "x"}}), "bytes of UTF-8: \"\\xff\\xfe\""));
  CHECK(refused(zip_file({{.name = std::string(1025, 'n'), .content = "x"}}), "1 to 1024 bytes"));
  std::string disks = zip_file({{"a", "x"}});
  disks[disks.size() - 22 + 4] = 1;
  CHECK(refused(disks, "in several files"));
}
