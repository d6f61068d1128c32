// Pictures as SVG text: a page, a few shapes, escaped text.
#pragma once

#include <string>

namespace vitrail {

// Text as XML content or attribute value: < > & " become entities, control bytes spaces; at most 400 bytes are kept.
std::string escape_xml(const std::string& text);

// The start of a page: the <svg> element, its style, a white ground. The page ends with "</svg>\n".
std::string svg_start(double width, double height, const std::string& style);

// One page, drawn from the back to the front. Coordinates are in pixels from the upper left corner. `attributes` are written
// as they are: fill="#fff" class="title".
class Svg {
 public:
  // `style` is the content of the page's <style> element (CSS).
  Svg(double width, double height, const std::string& style = "");

  void rect(double x, double y, double width, double height, const std::string& attributes = "");
  void ellipse(double x, double y, double radius_x, double radius_y, const std::string& attributes = "");
  // `commands` is the d attribute of a path: "M 0 0 L 10 10".
  void path(const std::string& commands, const std::string& attributes = "");
  // x, y: the start of the base line, or its middle or end with text-anchor in the attributes or the style.
  void text(double x, double y, const std::string& content, const std::string& attributes = "");

  // The whole file.
  std::string str() const { return body_ + "</svg>\n"; }

 private:
  std::string body_;
};

// A coordinate with two decimals, whatever the locale.
std::string svg_number(double value);

}  // namespace vitrail
