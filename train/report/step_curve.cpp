#include "train/report/step_curve.h"

#include <array>
#include <limits>

#include "base/json_writer.h"
#include "base/number.h"
#include "base/text.h"

namespace vitrail::report {

namespace {

constexpr const char* kHeader = "step,updates,epochs,loss,lr,grad_norm";

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  for (size_t from = 0; from <= text.size();) {
    const size_t end = std::min(text.find(separator, from), text.size());
    parts.push_back(text.substr(from, end - from));
    from = end + 1;
  }
  return parts;
}

CurvePoint parse_point(const std::string& line) {
  const std::vector<std::string> cells = split(line, ',');
  check(cells.size() == 6, ErrorKind::kData, "curve", "a line has 6 numbers: it has ", cells.size(), ".");
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max() / 2;
  const auto number = [&](size_t i) { return parse_number("curve", "a number", cells[i]); };
  return {parse_integer("curve", "step", cells[0], 1, kMost),
          parse_integer("curve", "updates", cells[1], 1, kMost),
          number(2),
          number(4),
          number(3),
          number(5)};
}

}  // namespace

StepCurve::StepCurve(size_t most) : most_(most) {
  check(most >= 2, ErrorKind::kValue, "curve", "a curve has at least 2 points: it is ", most, ".");
}

void StepCurve::add(const StepReport& update) {
  while (!points_.empty() && points_.back().step >= update.step) points_.pop_back();
  if (points_.empty()) stride_ = 1;
  merge({update.step, 1, update.epochs, update.lr, update.loss, update.grad_norm});
  while (points_.size() > most_) {
    stride_ *= 2;
    std::vector<CurvePoint> fine;
    fine.swap(points_);
    for (const CurvePoint& point : fine) merge(point);
  }
}

void StepCurve::merge(const CurvePoint& point) {
  if (points_.empty() || bin(points_.back().step) != bin(point.step)) {
    points_.push_back(point);
    return;
  }
  CurvePoint& last = points_.back();
  const double share = static_cast<double>(point.updates) / static_cast<double>(last.updates + point.updates);
  last.loss += share * (point.loss - last.loss);
  last.grad_norm += share * (point.grad_norm - last.grad_norm);
  last.updates += point.updates;
  last.step = point.step, last.epochs = point.epochs, last.lr = point.lr;
}

std::string StepCurve::csv() const {
  std::string text = cat(kHeader, "\n");
  for (const CurvePoint& p : points_) {
    text += cat(p.step, ",", p.updates);
    for (const double value : {p.epochs, p.loss, p.lr, p.grad_norm}) text += "," + JsonWriter().value(value).text();
    text += "\n";
  }
  return text;
}

StepCurve StepCurve::parse(const std::string& csv, const std::string& source, size_t most) {
  StepCurve curve(most);
  std::vector<std::string> lines = split(csv, '\n');
  check(lines[0] == kHeader, ErrorKind::kData, "curve", escaped_path(source), ": the first line must be ", kHeader, ".");
  for (size_t i = 1; i < lines.size(); ++i) {
    if (lines[i].empty()) continue;
    try {
      const CurvePoint point = parse_point(lines[i]);
      const int64_t before = curve.points_.empty() ? 0 : curve.points_.back().step;
      check(point.step > before, ErrorKind::kData, "curve", "steps must rise: ", point.step, " follows ", before, ".");
      curve.points_.push_back(point);
      // A point of so many updates was made with a stride of at least that.
      while (curve.stride_ < point.updates) curve.stride_ *= 2;
    } catch (const Error& e) {
      fail(ErrorKind::kData, "curve", escaped_path(source), ", line ", i + 1, ": ", e.what());
    }
  }
  check(curve.points_.size() <= most, ErrorKind::kData, "curve", escaped_path(source), ": at most ", most,
        " points: there are ", curve.points_.size(), ".");
  return curve;
}

}  // namespace vitrail::report
