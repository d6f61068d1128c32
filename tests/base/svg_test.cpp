// The SVG writer: numbers, escaping, one closed page.
#include "base/svg.h"

#include <doctest/doctest.h>

using namespace vitrail;

TEST_CASE("text in a picture is escaped, and control bytes do not pass") {
  CHECK(escape_xml("a<b & \"c\">\n\x1b[") == "a&lt;b &amp; &quot;c&quot;&gt;  [");
  CHECK(escape_xml(std::string(1000, 'x')).size() == 400);
}

TEST_CASE("coordinates have at most two digits behind the point and are always numbers") {
  CHECK(svg_number(12) == "12");
  CHECK(svg_number(-0.5) == "-0.50");
  CHECK(svg_number(1.0 / 3) == "0.33");
  CHECK(svg_number(-0.001) == "0");
  CHECK(svg_number(0.0 / 0.0) == "0");
}

TEST_CASE("a page opens and closes, with its shapes in order") {
  Svg svg(100, 50, "text{fill:#000}");
  svg.rect(1, 2, 3, 4, "fill=\"#fff\"");
  svg.ellipse(5, 6, 7, 8);
  svg.path("M 0 0 L 1 1");
  svg.text(9, 10, "a<b", "class=\"t\"");
  const std::string page = svg.str();
  CHECK(page.find("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"100\" height=\"50\" viewBox=\"0 0 100 50\">") == 0);
  CHECK(page.find("<rect x=\"1\" y=\"2\" width=\"3\" height=\"4\" fill=\"#fff\"/>\n<ellipse cx=\"5\" cy=\"6\" rx=\"7\" ry=\"8\"/>\n"
                  "<path d=\"M 0 0 L 1 1\"/>\n<text x=\"9\" y=\"10\" class=\"t\">a&lt;b</text>\n</svg>\n") != std::string::npos);
}
