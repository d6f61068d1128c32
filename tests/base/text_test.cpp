#include "base/text.h"

#include <doctest/doctest.h>

#include <random>

#include "base/error.h"
#include "base/json_writer.h"

using namespace vitrail;

namespace {

// Bytes that a terminal shows: no control character of ASCII, no C1 as UTF-8, nothing that is not UTF-8.
bool is_harmless(const std::string& text) {
  if (!is_utf8(text)) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte < 0x20 || byte == 0x7f) return false;
    if (byte == 0xc2 && static_cast<unsigned char>(text[i + 1]) < 0xa0) return false;
  }
  return true;
}

std::string random_bytes(std::mt19937& random, size_t size) {
  // Half of the texts are mostly ASCII, half any bytes: escape sequences, broken and whole UTF-8, all occur.
  const bool plain = random() % 2 == 0;
  std::string text;
  while (text.size() < size) text += static_cast<char>(plain && random() % 8 != 0 ? 'a' + random() % 26 : random() % 256);
  return text;
}

}  // namespace

TEST_CASE("text: control bytes, DEL, C1 and broken UTF-8 are escaped, letters of any language are not") {
  CHECK(escaped("plain") == "plain");
  CHECK(escaped("a\nb\x1b[2J\xff") == "a\\x0ab\\x1b[2J\\xff");
  CHECK(escaped("\x7f") == "\\x7f");
  CHECK(escaped("\x9b") == "\\x9b");
  CHECK(escaped("\xc2\x9b"
                "2J") == "\\xc2\\x9b2J");
  CHECK(escaped("\xe2\x80\xae"
                "evil") ==
        "\\xe2\\x80\\xae"
        "evil");  // U+202E turns the text around
  CHECK(escaped("d\xc3\xa9j\xc3\xa0 \xe7\x8c\xab") == "d\xc3\xa9j\xc3\xa0 \xe7\x8c\xab");
  CHECK(escaped(std::string("a\0b", 3)) == "a\\x00b");
}

TEST_CASE("text: a word is cut at its limit, between characters") {
  CHECK(escaped(std::string(500, 'x'), 10) == "xxxxxxxxxx...");
  CHECK(escaped(std::string(60, 'x')) == std::string(60, 'x'));
  CHECK(escaped(std::string(61, 'x')).size() == 63);
  CHECK(escaped("ab\xc3\xa9", 3) == "ab...");
  CHECK(escaped("ab\n", 5) == "ab...");
  CHECK(quote("a b") == "\"a b\"");
}

TEST_CASE("text: whatever the bytes, every way out is harmless and bounded") {
  std::mt19937 random(5);
  for (int i = 0; i < 3000; ++i) {
    const std::string text = random_bytes(random, random() % 700);
    CHECK(is_harmless(escaped(text)));
    CHECK(escaped(text).size() <= kMaxWord + 3);
    CHECK(is_harmless(escaped_path(text)));
    CHECK(escaped_path(text).size() <= kMaxPath);
    CHECK(is_harmless(one_line(text + " Hint: " + text)));
    CHECK(one_line(text).size() <= kMaxMessage);
    CHECK(is_harmless(Error(ErrorKind::kData, text).what()));
    CHECK(is_harmless(json_quoted(text)));
  }
}

TEST_CASE("text: of a long path the file's name remains") {
  CHECK(escaped_path("/a/b.png") == "/a/b.png");
  const std::string folder = cat("/one/two/three/four/five/six/seven/eight/nine/ten/eleven/twelve/");
  const std::string path = escaped_path(folder + folder + "picture.png");
  CHECK(path.starts_with("/one/two/"));
  CHECK(path.ends_with("/twelve/picture.png"));
  CHECK(path.size() <= kMaxPath);
  CHECK(escaped_path("/d/" + std::string(300, 'n')) == "/d/" + std::string(60, 'n') + "...");
}

TEST_CASE("text: a list names the first few and counts the rest") {
  CHECK(listed({}) == "");
  CHECK(listed({"a"}) == "a");
  CHECK(listed({"a", "b\n", "c"}) == "a, b\\x0a, c");
  CHECK(listed({"a", "b", "c", "d", "e"}) == "a, b, c and 2 more");
}

TEST_CASE("text: a message that is too long keeps its hint") {
  const std::string line = one_line("[x] " + std::string(1000, 'y') + " Hint: do this.");
  CHECK(line.size() == kMaxMessage);
  CHECK(line.ends_with("y... Hint: do this."));
  CHECK(one_line(std::string(1000, 'y')).ends_with("y..."));
  CHECK(one_line("two\nlines") == "two\\x0alines");
}
