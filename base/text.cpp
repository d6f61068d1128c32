#include "base/text.h"

#include <cstdint>
#include <cstdio>

namespace vitrail {
namespace {

constexpr const char* kCut = "...";
constexpr size_t kCutBytes = 3;

uint32_t code_point(const std::string& text, size_t at, size_t length) {
  const auto first = static_cast<unsigned char>(text[at]);
  uint32_t code = length == 1 ? first : first & (0xffu >> (length + 1));
  for (size_t i = 1; i < length; ++i) code = code << 6 | (static_cast<unsigned char>(text[at + i]) & 0x3fu);
  return code;
}

bool is_printable(uint32_t code) {
  if (code < 0x20 || (code >= 0x7f && code < 0xa0)) return false;
  const bool moves_text = code == 0x061c || code == 0x200e || code == 0x200f || (code >= 0x2028 && code <= 0x202e) ||
                          (code >= 0x2066 && code <= 0x2069) || code == 0xfeff;
  return !moves_text;
}

// Appends the character at `at`, or its bytes as \xNN. Returns the number of bytes of `text` that it used.
size_t append_character(const std::string& text, size_t at, std::string& out) {
  const size_t length = utf8_length(text, at);
  if (length > 0 && is_printable(code_point(text, at, length))) {
    out.append(text, at, length);
    return length;
  }
  const size_t taken = length == 0 ? 1 : length;
  for (size_t i = 0; i < taken; ++i) {
    char code[8];
    std::snprintf(code, sizeof code, "\\x%02x", static_cast<unsigned char>(text[at + i]));
    out += code;
  }
  return taken;
}

// The beginning of `text` in at most max_bytes bytes; *all says whether that is all of it.
std::string escaped_start(const std::string& text, size_t max_bytes, bool* all) {
  std::string result;
  for (size_t at = 0; at < text.size();) {
    const size_t before = result.size();
    at += append_character(text, at, result);
    if (result.size() > max_bytes) {
      result.resize(before);
      *all = false;
      return result;
    }
  }
  *all = true;
  return result;
}

// The end of escaped text in at most max_bytes bytes; does not begin inside a character.
std::string end_of(const std::string& text, size_t max_bytes) {
  if (text.size() <= max_bytes) return text;
  size_t at = text.size() - max_bytes;
  while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80) ++at;
  return text.substr(at);
}

}  // namespace

size_t utf8_length(const std::string& text, size_t at) {
  const auto byte = [&](size_t i) { return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0u; };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  const size_t length = first >= 0xc2 && first < 0xe0   ? 2
                        : first >= 0xe0 && first < 0xf0 ? 3
                        : first >= 0xf0 && first < 0xf5 ? 4
                                                        : 0;
  for (size_t i = 1; i < length; ++i)
    if ((byte(i) & 0xc0) != 0x80) return 0;
  const unsigned second = byte(1);
  const bool overlong = (first == 0xe0 && second < 0xa0) || (first == 0xf0 && second < 0x90);
  const bool surrogate = first == 0xed && second > 0x9f, too_high = first == 0xf4 && second > 0x8f;
  return overlong || surrogate || too_high ? 0 : length;
}

bool is_utf8(const std::string& text) {
  for (size_t at = 0; at < text.size();) {
    const size_t length = utf8_length(text, at);
    if (length == 0) return false;
    at += length;
  }
  return true;
}

std::string escaped(const std::string& text, size_t max_bytes) {
  bool all = false;
  const std::string start = escaped_start(text, max_bytes, &all);
  return all ? start : start + kCut;
}

std::string escaped_path(const std::string& path) {
  std::string result;
  for (size_t at = 0; at < path.size();) {
    const size_t slash = path.find('/', at), end = slash == std::string::npos ? path.size() : slash;
    result += escaped(path.substr(at, end - at));
    if (slash != std::string::npos) result += '/';
    at = end + 1;
    if (result.size() > 64 * kMaxPath) break;  // longer than any real path: the rest is ignored
  }
  if (result.size() <= kMaxPath) return result;
  bool all = false;
  return escaped_start(result, kMaxPath / 3, &all) + kCut + end_of(result, kMaxPath - kMaxPath / 3 - kCutBytes);
}

std::string quote(const std::string& text, size_t max_bytes) { return '"' + escaped(text, max_bytes) + '"'; }

std::string listed(const std::vector<std::string>& words, size_t first, size_t max_bytes) {
  std::string result;
  for (size_t i = 0; i < words.size() && i < first; ++i) result += (i == 0 ? "" : ", ") + escaped(words[i], max_bytes);
  if (words.size() > first) result += " and " + std::to_string(words.size() - first) + " more";
  return result;
}

std::string one_line(const std::string& message, size_t max_bytes) {
  bool all = false;
  std::string start = escaped_start(message, max_bytes, &all);
  if (all) return start;
  const size_t hint_at = message.rfind(" Hint: ");
  std::string hint;
  if (hint_at != std::string::npos) {
    hint = escaped_start(message.substr(hint_at), max_bytes / 2, &all);
    if (!all) hint.clear();
  }
  return escaped_start(message, max_bytes - hint.size() - kCutBytes, &all) + kCut + hint;
}

void complain(const std::string& message) {
  // One call, so that output of another thread or process cannot split the line.
  const std::string line = "vitrail: " + one_line(message) + "\n";
  std::fwrite(line.data(), 1, line.size(), stderr);
  std::fflush(stderr);
}

}  // namespace vitrail
