#include "base/json_writer.h"

#include <charconv>
#include <cmath>

#include "base/text.h"

namespace vitrail {
std::string json_quoted(const std::string& text) {
  constexpr const char* kHex = "0123456789abcdef";
  std::string result = "\"";
  for (size_t at = 0; at < text.size();) {
    const char c = text[at];
    const size_t length = utf8_length(text, at);
    if (c == '"' || c == '\\') {
      result += '\\', result += c;
    } else if (c == '\n') {
      result += "\\n";
    } else if (c == '\t') {
      result += "\\t";
    } else if (static_cast<unsigned char>(c) < 32 || c == 0x7f) {
      result += "\\u00", result += kHex[c >> 4], result += kHex[c & 15];
    } else if (length == 2 && c == '\xc2' && static_cast<unsigned char>(text[at + 1]) < 0xa0) {
      // C1 control characters, U+0080 to U+009F: some terminals execute them.
      result += "\\u00", result += kHex[(text[at + 1] >> 4) & 15], result += kHex[text[at + 1] & 15];
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
  if (token.find_first_of(".e") == std::string::npos) token += ".0";  // so that it is read back as a float, not an integer
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
