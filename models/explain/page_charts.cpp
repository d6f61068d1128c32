#include "models/explain/page_charts.h"

#include <algorithm>
#include <cmath>

#include "base/html.h"
#include "base/svg.h"

namespace vitrail::models::explain {
namespace {

constexpr double kWidth = 340, kHeight = 200, kLeft = 38, kTop = 8, kRight = 332, kBottom = 168;

double x_of(double part) { return kLeft + (kRight - kLeft) * part; }
double y_of(double part) { return kBottom - (kBottom - kTop) * part; }

std::string text(double x, double y, const std::string& content, const char* anchor) {
  return cat("<text x=\"", svg_number(x), "\" y=\"", svg_number(y), "\" text-anchor=\"", anchor, "\">", escape_xml(content),
             "</text>");
}

std::string start(const std::string& label) {
  return cat("<svg class=\"plot\" viewBox=\"0 0 ", kWidth, " ", kHeight, "\" role=\"img\" aria-label=\"", escape_xml(label),
             "\">");
}

// Horizontal lines at 0, 1/4, ... of the height, each with its value.
std::string levels(double largest, const char* unit) {
  std::string svg;
  for (int i = 0; i <= 4; ++i) {
    const double part = i / 4.0, y = y_of(part);
    svg += cat("<path class=\"grid\" d=\"M", kLeft, " ", svg_number(y), "H", kRight, "\"/>");
    svg += text(kLeft - 4, y + 4, cat(std::lround(part * largest), unit), "end");
  }
  return svg;
}

}  // namespace

std::string curve_chart(const std::string& title, const std::vector<CurveSeries>& series) {
  std::string svg = start(title) + levels(100, ""), key;
  for (const int percent : {0, 25, 50, 75, 100})
    svg += text(x_of(percent / 100.0), kBottom + 14, cat(percent), percent == 100 ? "end" : "middle");
  svg += text((kLeft + kRight) / 2, kHeight - 4, "% of the patches", "middle");
  for (const CurveSeries& s : series) {
    std::string points;
    for (size_t i = 0; i < s.curve->share.size(); ++i)
      points += cat(i == 0 ? "M" : "L", svg_number(x_of(s.curve->share[i])), " ",
                    svg_number(y_of(std::clamp(s.curve->probability[i], 0.0, 1.0))));
    svg += cat("<path class=\"line ", s.style, "\" d=\"", points, "\"/>");
    key += cat("<span class=\"key ", s.style, "\"><i class=\"", s.style, "\"></i>", html_escaped(s.name), "</span>");
  }
  return cat("<figure>", svg, "</svg><figcaption><b>", html_escaped(title), "</b><br>", key, "</figcaption></figure>\n");
}

std::string distance_chart(const Tensor& distances, double even) {
  const int64_t layers = distances.size(0), heads = distances.size(1);
  const std::vector<double> values = to_vector<double>(distances);
  // A multiple of four: the quarters have whole numbers.
  const double largest = 4 * std::ceil(std::max({even, *std::max_element(values.begin(), values.end()), 1.0}) * 1.02 / 4);
  const auto place = [&](int64_t layer) { return x_of((static_cast<double>(layer) + 0.5) / static_cast<double>(layers)); };
  std::string svg = start("attention distance of each head by layer") + levels(largest, "");
  const int64_t step = std::max<int64_t>(1, layers / 12);
  for (int64_t layer = 0; layer < layers; layer += step) svg += text(place(layer), kBottom + 14, cat(layer + 1), "middle");
  svg += text((kLeft + kRight) / 2, kHeight - 4, "layer", "middle");
  svg += cat("<path class=\"line dashed s3\" d=\"M", kLeft, " ", svg_number(y_of(even / largest)), "H", kRight, "\"/>");
  for (int64_t i = 0; i < layers * heads; ++i)
    svg += cat("<circle class=\"dot\" r=\"3.5\" cx=\"", svg_number(place(i / heads)), "\" cy=\"",
               svg_number(y_of(values[static_cast<size_t>(i)] / largest)), "\"/>");
  return cat(
      "<figure>", svg,
      "</svg><figcaption>mean distance in pixels of what a patch attends to; a dot is a head; dashed: attention that is the "
      "same everywhere</figcaption></figure>\n");
}

}  // namespace vitrail::models::explain
