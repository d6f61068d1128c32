#include "base/html.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <vector>

using namespace vitrail;

namespace {

std::string base64_of(const std::string& text) {
  const std::vector<uint8_t> bytes(text.begin(), text.end());
  return base64(bytes);
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("base64 gives the test vectors of RFC 4648, section 10") {
  CHECK(base64_of("") == "");
  CHECK(base64_of("f") == "Zg==");
  CHECK(base64_of("fo") == "Zm8=");
  CHECK(base64_of("foo") == "Zm9v");
  CHECK(base64_of("foob") == "Zm9vYg==");
  CHECK(base64_of("fooba") == "Zm9vYmE=");
  CHECK(base64_of("foobar") == "Zm9vYmFy");
  CHECK(base64(std::vector<uint8_t>{0xfb, 0xff, 0xbf}) == "+/+/");
}

TEST_CASE("a picture of the page is a data URI") {
  CHECK(png_data_uri(std::vector<uint8_t>{0x89, 'P', 'N', 'G'}) == "data:image/png;base64,iVBORw==");
}

TEST_CASE("text of a page is escaped: no tag, no attribute, no control byte comes out of it") {
  CHECK(html_escaped("<b a=\"1\" c='2'>&</b>") == "&lt;b a=&quot;1&quot; c=&#39;2&#39;&gt;&amp;&lt;/b&gt;");
  CHECK(html_escaped("caf\xc3\xa9\n\ttwo") == "caf\xc3\xa9\n\ttwo");
  CHECK(html_escaped("caf\xe9 \x1b[31m\x7f") == "caf\\xe9 \\x1b[31m\\x7f");
  CHECK(html_escaped("\xe2\x80\xae") == "\\xe2\\x80\\xae");  // would turn the text around
  CHECK(html_escaped(std::string("a\0b", 3)) == "a\\x00b");
  CHECK(html_escaped(std::string(500, 'x')).size() == 500);
}

TEST_CASE("a page stands alone: its policy forbids the network, and scripts unless it has one") {
  const std::string page = html_page("5 < 6", "<p>body</p>", ".mine{}");
  CHECK(page.starts_with("<!DOCTYPE html>"));
  CHECK(page.ends_with("</html>\n"));
  CHECK(has(page, "<title>5 &lt; 6</title>"));
  CHECK(has(page, "<p>body</p>"));
  CHECK(has(page, ".mine{}"));
  CHECK(has(page, "prefers-color-scheme: dark"));
  CHECK(has(page, "default-src 'none'; img-src data:"));
  CHECK_FALSE(has(page, "script-src"));
  CHECK_FALSE(has(page, "http://"));
  CHECK_FALSE(has(page, "https://"));
  const std::string with_script = html_page("t", "b", "", "let a = 1;");
  CHECK(has(with_script, "script-src 'unsafe-inline'"));
  CHECK(has(with_script, "<script>\nlet a = 1;\n</script>"));
}
