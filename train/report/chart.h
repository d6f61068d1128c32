// Line charts as SVG inside a page. They are complete without a script; the page's script (look.h) adds values under the
// pointer.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace vitrail::report {

using Points = std::vector<std::pair<double, double>>;  // (x, y), x rising

struct Series {
  std::string name;
  int colour = 0;  // of the palette kColours long
  Points points;   // what is not finite is left out
  bool dashed = false;
  bool backdrop = false;  // pale, without marks, values and entry in the legend: the noise behind a smoothed line
};

struct Chart {
  std::string title;
  std::string unit{};  // behind each value: " %"
  std::vector<Series> series{};
  bool logarithmic = false;  // the y axis; values that are not positive are left out
  std::string x_name = "epoch";
};

constexpr int kColours = 8;

// A <figure> with title, legend and drawing; "" if no series has a point.
std::string chart_html(const Chart& chart);

// Round values from at or below `low` to at or above `high`, about `count` of them, 1, 2 or 5 times a power of ten apart. With
// low = high a range around it.
std::vector<double> ticks(double low, double high, int count);
// Powers of ten, and 2 and 5 times them where that gives at most 7. Needs 0 < low <= high.
std::vector<double> logarithmic_ticks(double low, double high);

// "0.4123", "12,345": four digits that count, for people.
std::string shown(double value);
// 0.9731 -> "97.31 %"
std::string percent(double part);

}  // namespace vitrail::report
