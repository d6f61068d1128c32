// Text on its way to a person: words from files and flags made harmless, messages of one line. A file name, a tensor name or
// a class name from a stranger may hold any bytes; no control sequence of theirs reaches a terminal, and none makes a message
// of two lines.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace vitrail {

constexpr size_t kMaxWord = 60;      // bytes of a quoted word
constexpr size_t kMaxPath = 120;     // bytes of a path: it must be possible to find the file
constexpr size_t kMaxMessage = 290;  // bytes of a message; with "vitrail: " in front a line has at most 300

// Printable UTF-8 as it is; every other byte as \xNN: control characters (below 0x20, DEL, C1), characters that move text
// (line and paragraph separators, bidirectional controls), and what is not UTF-8. At most max_bytes bytes, cut between
// characters, then "...".
std::string escaped(const std::string& text, size_t max_bytes = kMaxWord);

// A path: as above, but each part between slashes has at most kMaxWord bytes, and what is longer than kMaxPath loses its
// middle: the end says which file it is.
std::string escaped_path(const std::string& path);

// "text", escaped as above.
std::string quote(const std::string& text, size_t max_bytes = kMaxWord);

// A list that ends: the first few, escaped, and how many more there are: `a, b, c and 17 more`.
std::string listed(const std::vector<std::string>& words, size_t first = 3, size_t max_bytes = kMaxWord);

// A message as one line of at most max_bytes bytes, escaped as above. If it is too long it loses its middle part: a hint at
// its end (" Hint: ...") stays. Error applies it to every message.
std::string one_line(const std::string& message, size_t max_bytes = kMaxMessage);

// Writes "vitrail: " + one_line(message) and the end of the line to standard error: the one way of a message out of the
// program.
void complain(const std::string& message);

// Whether the bytes are UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF.
bool is_utf8(const std::string& text);
// Length of the UTF-8 character that starts at `at`, 0 if there is none.
size_t utf8_length(const std::string& text, size_t at);

}  // namespace vitrail
