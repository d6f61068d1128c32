// What the points of a range test say, as numbers, as a table and as a curve.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "base/json_writer.h"
#include "base/svg.h"
#include "train/lr_finder.h"

namespace vitrail {

namespace {

constexpr double kWidth = 760, kHeight = 420, kLeft = 70, kRight = 24, kTop = 60, kBottom = 50;

// Triangular weights over 2 reach + 1 neighbours.
void smooth(std::vector<LrPoint>& points, int64_t reach) {
  const auto n = static_cast<int64_t>(points.size());
  for (int64_t i = 0; i < n; ++i) {
    // As far to the left as to the right: a mean over one side would lag.
    const int64_t r = std::min({reach, i, n - 1 - i});
    double sum = 0, weights = 0;
    for (int64_t j = -r; j <= r; ++j) {
      const double weight = static_cast<double>(r + 1 - std::abs(j));
      sum += weight * points[static_cast<size_t>(i + j)].loss;
      weights += weight;
    }
    points[static_cast<size_t>(i)].smooth = sum / weights;
  }
}

// Standard deviation of the losses around the curve.
double noise(const std::vector<LrPoint>& points, size_t from, size_t to) {
  double sum = 0;
  for (size_t i = from; i < to; ++i) sum += (points[i].loss - points[i].smooth) * (points[i].loss - points[i].smooth);
  return std::sqrt(sum / static_cast<double>(to - from));
}

// Digits of a rate that a person reads or types.
std::string rate(double lr) {
  char text[40];
  std::snprintf(text, sizeof text, "%.2g", lr);
  return text;
}

class Curve {
 public:
  explicit Curve(const LrFinding& finding)
      : points_(finding.points),
        svg_(kWidth, kHeight,
             "text{font:13px sans-serif;fill:#1d2430}.title{font-size:17px;font-weight:600}.soft{fill:#5b6472}") {
    low_ = high_ = points_.front().smooth;
    for (const LrPoint& p : points_) low_ = std::min(low_, p.smooth);
    // The rise at the end may be endless: above twice the first losses nothing is to be learnt.
    for (const LrPoint& p : points_) high_ = std::max(high_, std::min(p.smooth, 2 * points_.front().smooth));
    const double margin = 0.05 * (high_ - low_) + 1e-9;
    low_ -= margin, high_ += margin;
  }
  std::string draw(const LrFinding& finding) {
    svg_.text(kLeft, 30, "Learning-rate range test", "class=\"title\"");
    svg_.path(line(false), "fill=\"none\" stroke=\"#b8c0cc\"");
    svg_.path(line(true), "fill=\"none\" stroke=\"#0072b2\" stroke-width=\"2\"");
    svg_.path("M 70 60 V 370 H 736", "fill=\"none\" stroke=\"#8b93a0\"");
    for (const double lr : decades()) {
      svg_.text(x(lr), kHeight - kBottom + 20, rate(lr), "text-anchor=\"middle\" class=\"soft\"");
    }
    svg_.text(kLeft - 8, kTop + 10, shown(high_), "text-anchor=\"end\" class=\"soft\"");
    svg_.text(kLeft - 8, kHeight - kBottom, shown(low_), "text-anchor=\"end\" class=\"soft\"");
    svg_.text(kWidth - kRight, kHeight - 10, "learning rate", "text-anchor=\"end\" class=\"soft\"");
    if (finding.steepest) mark(*finding.steepest, "steepest", "#b34700", 52);
    if (finding.tenth_of_lowest) mark(*finding.tenth_of_lowest, "lowest / 10", "#00785a", 36);
    return svg_.str();
  }

 private:
  double x(double lr) const {
    const double part = std::log(lr / points_.front().lr) / std::log(points_.back().lr / points_.front().lr);
    return kLeft + part * (kWidth - kLeft - kRight);
  }
  double y(double loss) const {
    return kHeight - kBottom - std::clamp((loss - low_) / (high_ - low_), 0.0, 1.0) * (kHeight - kBottom - kTop);
  }
  std::string line(bool smoothed) const {
    std::string path;
    for (const LrPoint& p : points_)
      path += cat(path.empty() ? "M " : " L ", svg_number(x(p.lr)), " ", svg_number(y(smoothed ? p.smooth : p.loss)));
    return path;
  }
  std::vector<double> decades() const {
    std::vector<double> result;
    for (double d = std::ceil(std::log10(points_.front().lr) - 1e-9); d <= std::log10(points_.back().lr) + 1e-9; d += 1)
      result.push_back(std::pow(10.0, d));
    return result;
  }
  static std::string shown(double value) {
    char text[40];
    std::snprintf(text, sizeof text, "%.3g", value);
    return text;
  }
  void mark(double lr, const std::string& name, const std::string& colour, double height) {
    const std::string at = svg_number(x(lr));
    svg_.path("M " + at + " " + svg_number(height + 4) + " V 370", "stroke=\"" + colour + "\" stroke-dasharray=\"4 3\"");
    svg_.text(x(lr) + 5, height + 8, name + ": " + rate(lr), "style=\"fill:" + colour + "\"");
  }

  const std::vector<LrPoint>& points_;
  double low_, high_;
  Svg svg_;
};

}  // namespace

void suggest(LrFinding& finding) {
  std::vector<LrPoint>& points = finding.points;
  finding.steepest.reset();
  finding.tenth_of_lowest.reset();
  const size_t n = points.size(), first = n / 10;
  smooth(points, std::max<int64_t>(2, static_cast<int64_t>(n) / 20));
  if (n < 5) return;
  size_t lowest = first, highest = first;
  for (size_t i = first; i < n; ++i)
    if (points[i].smooth < points[lowest].smooth) lowest = i;
  for (size_t i = first; i < lowest; ++i)
    if (points[i].smooth > points[highest].smooth) highest = i;
  if (lowest == first || points[highest].smooth - points[lowest].smooth <= 2 * noise(points, 0, lowest + 1)) return;
  size_t steepest = first + 1;
  const auto slope = [&](size_t i) { return points[i + 1].smooth - points[i - 1].smooth; };  // the rates are evenly apart
  for (size_t i = first + 1; i < lowest; ++i)
    if (slope(i) < slope(steepest)) steepest = i;
  finding.steepest = points[steepest].lr;
  finding.tenth_of_lowest = points[lowest].lr / 10;
}

std::string lr_finding_csv(const LrFinding& finding) {
  std::string text = "lr,loss,smooth\n";
  for (const LrPoint& p : finding.points) {
    for (const double value : {p.lr, p.loss, p.smooth}) text += JsonWriter().value(value).text() + ",";
    text.back() = '\n';
  }
  return text;
}

std::string lr_finding_svg(const LrFinding& finding) {
  check(finding.points.size() >= 2, ErrorKind::kNumeric, "find-lr", "there is no curve: the loss is not finite from update ",
        finding.points.size() + 1, " on. Hint: look at the data and at --lr.");
  return Curve(finding).draw(finding);
}

}  // namespace vitrail
