#include "base/json_writer.h"

#include <charconv>
#include <cmath>

namespace vitrail {
namespace {

// Length of the UTF-8 sequence that starts at `at`, 0 if there is none.
size_t sequence_at(const std::string& text, size_t at) {
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

}  // namespace

bool is_utf8(const std::string& text) {
  for (size_t at = 0; at < text.size();) {
    const size_t length = sequence_at(text, at);
    if (length == 0) return false;
    at += length;
  }
  return true;
}

std::string json_quoted(const std::string& text) {
  constexpr const char* kHex = "0123456789abcdef";
  std::string result = "\"";
  for (size_t at = 0; at < text.size();) {
    const char c = text[at];
    const size_t length = sequence_at(text, at);
    if (c == '"' || c == '\\') {
      result += '\\', result += c;
    } else if (c == '\n') {
      result += "\\n";
    } else if (c == '\t') {
      result += "\\t";
    } else if (static_cast<unsigned char>(c) < 32) {
      result += "\\u00", result += kHex[c >> 4], result += kHex[c & 15];
    } else if (length == 0) {
      result += "\xef\xbf\xbd";
    } else {
      result.append(text, at, length);
    }
    at += length == 0 ? 1 : length;
  }
  return result + '"';
}

JsonWriter& JsonWriter::key(const std::string& name) {
  next_item();
  text_ += json_quoted(name) + (indent_ < 0 ? ":" : ": ");
  after_key_ = true;
  return *this;
}

JsonWriter& JsonWriter::value(const std::string& text) { return put(json_quoted(text)); }

JsonWriter& JsonWriter::value(double number) {
  if (!std::isfinite(number)) return null();
  char digits[32];
  const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  std::string token(digits, end);
  if (token.find_first_of(".e") == std::string::npos) token += ".0";  // stays a number with a fraction for who reads it
  return put(token);
}

JsonWriter& JsonWriter::raw(const std::string& json) {
  std::string fitted;
  for (size_t i = 0; i < json.size(); ++i) {
    if (json[i] != '\n') {
      fitted += json[i];
    } else if (indent_ >= 0) {  // a line break inside a text is escaped: this one is between values
      fitted += '\n' + std::string(static_cast<size_t>(indent_ * depth_), ' ');
    } else {
      while (i + 1 < json.size() && json[i + 1] == ' ') ++i;
    }
  }
  return put(fitted);
}

JsonWriter& JsonWriter::open(char bracket) {
  put(std::string(1, bracket));
  ++depth_;
  first_ = true;
  return *this;
}

JsonWriter& JsonWriter::close(char bracket) {
  --depth_;
  if (!first_) new_line();
  text_ += bracket;
  first_ = false;
  return *this;
}

JsonWriter& JsonWriter::put(const std::string& token) {
  if (!after_key_) next_item();
  after_key_ = false;
  text_ += token;
  return *this;
}

void JsonWriter::next_item() {
  if (depth_ == 0) return;
  if (!first_) text_ += ',';
  first_ = false;
  new_line();
}

void JsonWriter::new_line() {
  if (indent_ >= 0) text_ += '\n' + std::string(static_cast<size_t>(indent_ * depth_), ' ');
}

}  // namespace vitrail
