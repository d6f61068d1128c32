#include "train/report/chart.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <limits>

#include "base/error.h"
#include "base/html.h"
#include "base/json_writer.h"
#include "base/svg.h"
#include "base/text.h"

namespace vitrail::report {

namespace {

// Sized for a telephone: on a wide screen several stand side by side, and their text has the same size everywhere.
constexpr double kWidth = 420, kHeight = 250, kLeft = 54, kTop = 10, kPlotWidth = 354, kPlotHeight = 206;
constexpr size_t kMostMarks = 40;

struct Axis {
  double low = 0, high = 1;
  bool logarithmic = false;
  std::vector<double> marks{};

  double part(double value) const {
    return logarithmic ? std::log(value / low) / std::log(high / low) : (value - low) / (high - low);
  }
};

struct Range {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  void add(double value) { low = std::min(low, value), high = std::max(high, value); }
};

Points usable(const Points& points, bool logarithmic) {
  Points result;
  for (const auto& [x, y] : points)
    if (std::isfinite(x) && std::isfinite(y) && (!logarithmic || y > 0)) result.emplace_back(x, y);
  return result;
}

Axis axis_of(std::vector<double> marks, bool logarithmic) { return {marks.front(), marks.back(), logarithmic, marks}; }

// The digits that tell two marks apart.
std::string mark_text(double value, const std::vector<double>& marks) {
  char text[48];
  const double distance = marks.size() > 1 ? std::abs(marks[1] - marks[0]) : std::abs(value);
  const double magnitude = std::max(std::abs(marks.front()), std::abs(marks.back()));
  if (magnitude >= 1e6 || (magnitude < 1e-3 && magnitude > 0)) {
    std::snprintf(text, sizeof text, "%g", std::abs(value) < 1e-12 * magnitude ? 0.0 : value);
    return text;
  }
  const int digits = distance > 0 ? std::clamp(static_cast<int>(-std::floor(std::log10(distance) + 1e-9)), 0, 6) : 0;
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

std::string text_at(double x, double y, const char* anchor, const std::string& content) {
  return cat("<text x=\"", svg_number(x), "\" y=\"", svg_number(y), "\" text-anchor=\"", anchor, "\">", html_escaped(content),
             "</text>");
}

std::string line_at(double x1, double y1, double x2, double y2) {
  return cat("<path class=\"grid\" d=\"M", svg_number(x1), " ", svg_number(y1), "L", svg_number(x2), " ", svg_number(y2),
             "\"/>");
}

// A drawing in progress: axes that map values to coordinates.
class Plot {
 public:
  Plot(const Chart& chart, const Axis& x, const Axis& y) : chart_(chart), x_(x), y_(y) {}

  double px(double x) const { return kLeft + kPlotWidth * x_.part(x); }
  double py(double y) const { return kTop + kPlotHeight * (1 - y_.part(y)); }

  std::string axes() const {
    std::string svg;
    for (const double mark : y_.marks) {
      svg += line_at(kLeft, py(mark), kLeft + kPlotWidth, py(mark));
      svg += text_at(kLeft - 6, py(mark) + 4, "end", (y_.logarithmic ? shown(mark) : mark_text(mark, y_.marks)) + chart_.unit);
    }
    for (const double mark : x_.marks) svg += text_at(px(mark), kTop + kPlotHeight + 16, "middle", mark_text(mark, x_.marks));
    return svg + text_at(kLeft + kPlotWidth / 2, kHeight - 2, "middle", chart_.x_name);
  }

  std::string line(const Series& series, const Points& points) const {
    std::string path;
    for (size_t i = 0; i < points.size(); ++i)
      path += (i == 0 ? "M" : "L") + svg_number(px(points[i].first)) + " " + svg_number(py(points[i].second));
    std::string svg = cat("<path class=\"",
                          series.backdrop ? "noise"
                          : series.dashed ? "line dashed"
                                          : "line",
                          " s", series.colour, "\" d=\"", path, "\"/>");
    if (series.backdrop || points.size() > kMostMarks) return svg;
    for (const auto& [x, y] : points)
      svg += cat("<circle class=\"mark s", series.colour, "\" cx=\"", svg_number(px(x)), "\" cy=\"", svg_number(py(y)),
                 "\" r=\"2.5\"/>");
    return svg;
  }

 private:
  const Chart& chart_;
  const Axis &x_, &y_;
};

std::string short_number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.5g", value);
  return text;
}

// What the script needs to find values under the pointer.
std::string chart_data(const Chart& chart, const Axis& x, const Axis& y) {
  const auto pair = [](double a, double b) { return cat("[", short_number(a), ",", short_number(b), "]"); };
  std::string json = cat("{\"size\":", pair(kWidth, kHeight), ",\"box\":[", kLeft, ",", kTop, ",", kPlotWidth, ",", kPlotHeight,
                         "],\"x\":", pair(x.low, x.high), ",\"y\":", pair(y.low, y.high), ",\"log\":", y.logarithmic ? 1 : 0,
                         ",\"unit\":", json_quoted(chart.unit), ",\"xname\":", json_quoted(chart.x_name), ",\"series\":[");
  bool first = true;
  for (const Series& series : chart.series) {
    const Points points = usable(series.points, y.logarithmic);
    if (series.backdrop || points.empty()) continue;
    json += cat(first ? "" : ",", "{\"name\":", json_quoted(series.name), ",\"c\":", series.colour, ",\"p\":[");
    for (size_t i = 0; i < points.size(); ++i) json += (i == 0 ? "" : ",") + pair(points[i].first, points[i].second);
    json += "]}";
    first = false;
  }
  return json + "]}";
}

// One line needs none: the title names it.
std::string legend(const Chart& chart) {
  std::string html;
  const auto named = std::count_if(chart.series.begin(), chart.series.end(), [&](const Series& series) {
    return !series.backdrop && !usable(series.points, chart.logarithmic).empty();
  });
  if (named < 2) return html;
  for (const Series& series : chart.series)
    if (!series.backdrop && !usable(series.points, chart.logarithmic).empty())
      html += cat("<span class=\"key\"><i class=\"", series.dashed ? "dashed " : "", "s", series.colour, "\"></i>",
                  html_escaped(series.name), "</span>");
  return html;
}

// For who cannot see the drawing: where each line ends.
std::string spoken(const Chart& chart) {
  std::string text = chart.title + ".";
  for (const Series& series : chart.series) {
    const Points points = usable(series.points, chart.logarithmic);
    if (!series.backdrop && !points.empty())
      text += cat(" ", series.name, " ends at ", shown(points.back().second), chart.unit, ".");
  }
  return text + " Arrow keys read the values.";
}

double round_step(double step) {
  const double power = std::pow(10.0, std::floor(std::log10(step)));
  for (const double factor : {1.0, 2.0, 5.0})
    if (step <= factor * power * (1 + 1e-9)) return factor * power;
  return 10 * power;
}

}  // namespace

std::vector<double> ticks(double low, double high, int count) {
  if (!(high > low)) {
    const double around = low == 0 ? 1 : 0.1 * std::abs(low);
    low -= around, high += around;
  }
  const double step = round_step((high - low) / count);
  const auto first = std::llround(std::floor(low / step + 1e-9)), last = std::llround(std::ceil(high / step - 1e-9));
  std::vector<double> result;
  for (int64_t i = first; i <= last; ++i) result.push_back(static_cast<double>(i) * step);
  return result;
}

std::vector<double> logarithmic_ticks(double low, double high) {
  const int first = static_cast<int>(std::floor(std::log10(low))), last = static_cast<int>(std::ceil(std::log10(high)));
  std::vector<double> fine, coarse;
  for (int power = first; power <= last; ++power) {
    coarse.push_back(std::pow(10.0, power));
    for (const double factor : {1.0, 2.0, 5.0}) fine.push_back(factor * std::pow(10.0, power));
  }
  // One mark at or below the lowest value, one at or above the highest.
  while (fine.size() > 2 && fine[1] <= low) fine.erase(fine.begin());
  while (fine.size() > 2 && fine[fine.size() - 2] >= high) fine.pop_back();
  return fine.size() <= 7 || coarse.size() < 2 ? fine : coarse;
}

std::string shown(double value) {
  char text[48];
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  std::snprintf(text, sizeof text, std::abs(value) >= 1000 && std::abs(value) < 1e9 ? "%.0f" : "%.4g", value);
  std::string digits = text;
  if (digits.find_first_of(".e") != std::string::npos) return digits;
  for (int at = static_cast<int>(digits.size()) - 3; at > (value < 0 ? 1 : 0); at -= 3)
    digits.insert(static_cast<size_t>(at), ",");
  return digits;
}

std::string percent(double part) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f %%", 100 * part);
  return text;
}

std::string chart_html(const Chart& chart) {
  Range xs, ys;
  for (const Series& series : chart.series)
    for (const auto& [x, y] : usable(series.points, chart.logarithmic)) xs.add(x), ys.add(y);
  if (!(xs.low <= xs.high)) return "";
  Axis x = axis_of(ticks(0, std::max(xs.high, 1e-9), 5), false);
  x.high = std::max(xs.high, 1e-9);  // the curve fills the width
  while (x.marks.back() > x.high * (1 + 1e-9)) x.marks.pop_back();
  const Axis y = axis_of(chart.logarithmic ? logarithmic_ticks(ys.low, ys.high) : ticks(ys.low, ys.high, 4), chart.logarithmic);
  const Plot plot(chart, x, y);
  std::string svg = plot.axes();
  for (const Series& series : chart.series) {
    const Points points = usable(series.points, chart.logarithmic);
    if (!points.empty()) svg += plot.line(series, points);
  }
  return cat("<figure class=\"chart\"><figcaption><b>", html_escaped(chart.title), "</b>", legend(chart),
             "</figcaption><svg viewBox=\"0 0 ", svg_number(kWidth), " ", svg_number(kHeight),
             "\" role=\"img\" tabindex=\"0\" aria-label=\"", html_escaped(spoken(chart)), "\" data-chart=\"",
             html_escaped(chart_data(chart, x, y)), "\">", svg, "</svg></figure>\n");
}

}  // namespace vitrail::report
