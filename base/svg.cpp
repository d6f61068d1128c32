#include "base/svg.h"

#include <cmath>
#include <cstdint>

namespace vitrail {
namespace {

constexpr size_t kLongestText = 400;

std::string with_space(const std::string& attributes) { return attributes.empty() ? "" : " " + attributes; }

}  // namespace

std::string escape_xml(const std::string& text) {
  std::string out;
  for (const char c : text.substr(0, kLongestText)) {
    switch (c) {
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '&': out += "&amp;"; break;
      case '"': out += "&quot;"; break;
      default: out += static_cast<unsigned char>(c) < 32 || c == 127 ? ' ' : c;
    }
  }
  return out;
}

std::string svg_number(double value) {
  if (!std::isfinite(value) || std::abs(value) > 1e9) value = 0;
  const auto hundredths = static_cast<int64_t>(std::llround(std::abs(value) * 100));
  std::string text = std::to_string(hundredths / 100);
  if (hundredths % 100 != 0) text += "." + std::to_string(100 + hundredths % 100).substr(1);
  return (value < 0 && hundredths != 0 ? "-" : "") + text;
}

std::string svg_start(double width, double height, const std::string& style) {
  const std::string w = svg_number(width), h = svg_number(height);
  return "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" + w + "\" height=\"" + h + "\" viewBox=\"0 0 " + w + " " + h +
         "\">\n<style>" + style + "</style>\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n";
}

Svg::Svg(double width, double height, const std::string& style) : body_(svg_start(width, height, style)) {}

void Svg::rect(double x, double y, double width, double height, const std::string& attributes) {
  body_ += "<rect x=\"" + svg_number(x) + "\" y=\"" + svg_number(y) + "\" width=\"" + svg_number(width) + "\" height=\"" +
           svg_number(height) + "\"" + with_space(attributes) + "/>\n";
}

void Svg::ellipse(double x, double y, double radius_x, double radius_y, const std::string& attributes) {
  body_ += "<ellipse cx=\"" + svg_number(x) + "\" cy=\"" + svg_number(y) + "\" rx=\"" + svg_number(radius_x) + "\" ry=\"" +
           svg_number(radius_y) + "\"" + with_space(attributes) + "/>\n";
}

void Svg::path(const std::string& commands, const std::string& attributes) {
  body_ += "<path d=\"" + commands + "\"" + with_space(attributes) + "/>\n";
}

void Svg::text(double x, double y, const std::string& content, const std::string& attributes) {
  body_ += "<text x=\"" + svg_number(x) + "\" y=\"" + svg_number(y) + "\"" + with_space(attributes) + ">" +
           escape_xml(content) + "</text>\n";
}

}  // namespace vitrail
