// Text for messages. A file name, tensor name or class name from a stranger may hold any bytes. Escaping keeps its control
// sequences away from the terminal, and every message on one line.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace vitrail {

constexpr size_t kMaxWord = 60;      // bytes of a quoted word
constexpr size_t kMaxPath = 120;     // bytes of a path: longer, so that the file can be found
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

// A shortened list: the first few words, escaped, and how many more there are: `a, b, c and 17 more`.
std::string listed(const std::vector<std::string>& words, size_t first = 3, size_t max_bytes = kMaxWord);

// A message as one line of at most max_bytes bytes, escaped as above. If it is too long, the end of the text before its hint is
// cut; the hint (" Hint: ...") stays. Error applies it to every message.
std::string one_line(const std::string& message, size_t max_bytes = kMaxMessage);

// Writes "vitrail: " + one_line(message) and the end of the line to standard error. Every message of the program leaves through
// it.
void complain(const std::string& message);

// Whether the bytes are UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF.
bool is_utf8(const std::string& text);
// Length of the UTF-8 character that starts at `at`, 0 if there is none.
size_t utf8_length(const std::string& text, size_t at);

}  // namespace vitrail
