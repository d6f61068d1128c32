// ZIP archives that we write, read by our own strict reader.
#include "base/zip_writer.h"

#include <doctest/doctest.h>

#include "base/error.h"
#include "base/zip.h"

using namespace vitrail;

TEST_CASE("what was written is read back, in its order, with its checksums") {
  const std::vector<std::pair<std::string, std::string>> entries{
      {"b/second.txt", "two\nlines"}, {"a", ""}, {"ö", std::string("\0\1", 2)}};
  const std::vector<uint8_t> bytes = zip_of(entries);
  const ByteSource source = source_of(std::span<const uint8_t>(bytes), "test");
  const ZipArchive archive(source);
  REQUIRE(archive.entries().size() == entries.size());
  for (size_t i = 0; i < entries.size(); ++i) {
    const ZipEntry& entry = archive.entries()[i];
    CHECK(entry.name == entries[i].first);
    std::string content(static_cast<size_t>(entry.bytes), 'x');
    ZipStream stream(source, entry);
    stream.read(content.data(), entry.bytes);
    CHECK(content == entries[i].second);
    CHECK(entry.unix_mode == 0);
  }
  CHECK(zip_of(entries) == bytes);
}

TEST_CASE("a name twice, or none, is refused") {
  CHECK_THROWS_WITH_AS(zip_of({{"a", "1"}, {"a", "2"}}), doctest::Contains("\"a\" is empty or stands twice"), Error);
  CHECK_THROWS_AS(zip_of({{"", "1"}}), Error);
}
