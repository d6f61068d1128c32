#include "labs/tool/allowed.h"

#include <algorithm>
#include <cctype>

#include "base/text.h"

namespace vitrail::labs {
namespace {

std::string at_line(size_t line, const std::string& text) { return "line " + std::to_string(line + 1) + ": " + text; }
bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }

// Walks over C++ text and leaves out comments and the contents of literals.
class Scanner {
 public:
  Scanner(const Lines& lines, size_t begin, size_t end) : text_(joined(lines, begin, end)), line_(begin) {}

  std::string run() {
    while (at_ < text_.size() && problem_.empty()) step();
    if (problem_.empty() && depth_ > 0) complain("a brace { that is opened here is not closed", opened_at_);
    return problem_;
  }

 private:
  char peek(size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }
  void complain(const std::string& text, size_t line) {
    if (problem_.empty()) problem_ = at_line(line, text);
  }
  void advance() {
    if (text_[at_++] == '\n') ++line_;
  }

  void step() {
    const char c = peek();
    if (c == '/' && peek(1) == '/') {
      while (at_ < text_.size() && peek() != '\n') {
        if (peek() == '\\' && ends_line_behind()) return complain("a comment may not end with \\", line_);
        advance();
      }
    } else if (c == '/' && peek(1) == '*') {
      skip_until("*/", "a comment /* that does not end");
    } else if (is_word(c)) {
      word();
    } else if (c == '"') {
      quoted('"');
    } else if (c == '\'') {
      quoted('\'');
    } else {
      symbol(c);
    }
  }

  // Whether only blanks follow the backslash here: the compiler joins such a line with the next.
  bool ends_line_behind() const {
    const size_t next = text_.find_first_not_of(" \t", at_ + 1);
    return next == std::string::npos || text_[next] == '\n';
  }

  void symbol(char c) {
    if (c == '\\') complain("a line may not end with \\", line_);
    if (c == '#' || (c == '%' && peek(1) == ':'))
      complain("# is not allowed here. Hint: #include <...> may stand in LAB HELPERS.", line_);
    if (c == '{' || (c == '<' && peek(1) == '%')) {
      if (depth_++ == 0) opened_at_ = line_;
    }
    if (c == '}' || (c == '%' && peek(1) == '>')) {
      if (--depth_ < 0) complain("a brace } closes more than the region opens", line_);
    }
    advance();
  }

  void word() {
    const size_t start = at_;
    while (is_word(peek()) || (peek() == '\'' && std::isdigit(static_cast<unsigned char>(text_[start])) && is_word(peek(1))))
      advance();
    const std::string name = text_.substr(start, at_ - start);
    if (peek() == '"' && !name.empty() && name.back() == 'R' && name.size() <= 3) return raw_text();
    for (const char* forbidden : {"asm", "__asm", "__asm__", "_Pragma", "import"}) {
      if (name == forbidden) complain(name + " is not allowed", line_);
    }
  }

  void quoted(char quote) {
    const size_t from = line_;
    for (advance(); at_ < text_.size() && peek() != quote; advance()) {
      if (peek() == '\n') return complain("a text that does not end", from);
      if (peek() == '\\') advance();
    }
    if (at_ >= text_.size()) return complain("a text that does not end", from);
    advance();
  }

  void raw_text() {  // R"name( ... )name"
    const size_t open = text_.find('(', at_);
    if (open == std::string::npos || open - at_ > 17) return complain("a raw text that does not begin", line_);
    skip_until(")" + text_.substr(at_ + 1, open - at_ - 1) + "\"", "a raw text that does not end");
  }

  void skip_until(const std::string& what, const std::string& otherwise) {
    const size_t end = text_.find(what, at_ + 2);
    if (end == std::string::npos) return complain(otherwise, line_);
    while (at_ < end + what.size()) advance();
  }

  std::string text_, problem_;
  size_t at_ = 0, line_, opened_at_ = 0;
  int depth_ = 0;
};

bool is_standard_include(const std::string& line) {
  const size_t open = line.find('<'), close = line.find('>');
  const size_t hash = line.find_first_not_of(" \t");
  if (hash == std::string::npos || line.compare(hash, 8, "#include") != 0 || open == std::string::npos ||
      close == std::string::npos)
    return false;
  const std::string between = line.substr(hash + 8, open - hash - 8), name = line.substr(open + 1, close - open - 1);
  const bool plain =
      !name.empty() && std::all_of(name.begin(), name.end(), [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; });
  return plain && between.find_first_not_of(" \t") == std::string::npos &&
         line.find_first_not_of(" \t", close + 1) == std::string::npos;
}

}  // namespace

std::string refusal(const Lines& lines, size_t begin, size_t end) { return Scanner(lines, begin, end).run(); }

std::string helpers_refusal(const Lines& lines, size_t begin, size_t end) {
  Lines rest = lines;
  for (size_t i = begin; i < end; ++i) {
    if (is_standard_include(lines[i])) rest[i].clear();
  }
  return Scanner(rest, begin, end).run();
}

}  // namespace vitrail::labs
