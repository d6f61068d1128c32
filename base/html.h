// Self-contained HTML pages: escaped text, embedded pictures, styles for light and dark mode. A page makes no network requests,
// and its content security policy forbids them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace vitrail {

// Text as HTML content or attribute value: & < > " ' become entities. Line ends and tabs stay; every other byte that is no
// printable UTF-8 is written as \xNN (base/text.h), so that a file name of a stranger is seen as it is.
std::string html_escaped(std::string_view text);

// RFC 4648, section 4: the alphabet with + and /, padded with = to a multiple of four.
std::string base64(std::span<const uint8_t> bytes);

// The bytes of a PNG file as the src of an <img>: "data:image/png;base64,...".
std::string png_data_uri(std::span<const uint8_t> png);

// A whole page. `title` is escaped here; `body`, `extra_css` and `script` are written as they are. The style defines the
// colours --ground, --ink, --faint, --line, --accent, --good, --bad for light and dark, and the appearance of headings, tables
// (td.n: numbers, right-aligned), figures and details.
std::string html_page(std::string_view title, std::string_view body, std::string_view extra_css = "",
                      std::string_view script = "");

// Error(kValue) naming op if `path` is a file that is there already and is no HTML page: a page must not replace a picture or a
// model because of a slip.
void check_page_target(const char* op, const std::string& path);

}  // namespace vitrail
