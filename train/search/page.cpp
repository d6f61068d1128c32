// The page of a search: who won, how the scores came in, and which field matters.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "base/html.h"
#include "base/svg.h"
#include "train/search/ledger.h"

namespace vitrail::search {

namespace {

constexpr double kWide = 760, kSmall = 300, kHeight = 220, kLeft = 72, kBottom = 34, kTop = 12, kRight = 12;

constexpr const char* kLook = R"css(
svg { max-width: 100%; height: auto; font: 12px system-ui, sans-serif; } svg text { fill: var(--faint); }
figcaption { max-width: none; } .axis { stroke: var(--line); fill: none; } .best { stroke: var(--good); fill: none; stroke-width: 1.5; }
.dot { fill: var(--accent); fill-opacity: .65; } .dot.on { fill: var(--bad); fill-opacity: 1; }
tr.on td { background: var(--shade); } th[data-sort] { cursor: pointer; }
)css";

// Trials light up in the table and in all pictures together; a click on a heading sorts by that column.
constexpr const char* kScript = R"js(
const light = (trial, on) => document.querySelectorAll('[data-trial="' + trial + '"]').forEach(e => e.classList.toggle('on', on));
document.querySelectorAll('[data-trial]').forEach(e => {
  e.addEventListener('mouseenter', () => light(e.dataset.trial, true));
  e.addEventListener('mouseleave', () => light(e.dataset.trial, false));
});
document.querySelectorAll('th[data-sort]').forEach((head, column) => {
  let up = true;
  head.addEventListener('click', () => {
    const body = document.querySelector('#trials tbody'), key = row => row.cells[column].dataset.value ?? row.cells[column].textContent;
    const order = (a, b) => { const x = key(a), y = key(b), d = Number(x) - Number(y); return Number.isNaN(d) ? x.localeCompare(y) : d; };
    [...body.rows].sort((a, b) => (up ? 1 : -1) * order(a, b)).forEach(row => body.append(row));
    up = !up;
  });
});
)js";

struct Point {
  double x, y;
  int64_t trial;
  std::string note;
};

struct Axis {
  double low = 0, high = 1;
  bool logarithmic = false;
  // The place of a value in [0, 1].
  double place(double value) const {
    return logarithmic ? std::log(value / low) / std::log(high / low) : (value - low) / (high - low);
  }
};

Axis axis_of(std::vector<double> values, bool may_be_logarithmic) {
  Axis axis;
  if (values.empty()) return axis;
  axis.low = *std::min_element(values.begin(), values.end());
  axis.high = *std::max_element(values.begin(), values.end());
  axis.logarithmic = may_be_logarithmic && axis.low > 0 && axis.high > 20 * axis.low;
  if (axis.low == axis.high) axis.low -= 0.5 * std::abs(axis.low) + 1e-3, axis.high += 0.5 * std::abs(axis.high) + 1e-3;
  return axis;
}

std::string short_number(double value) {
  char text[40];
  return {text, std::to_chars(text, text + sizeof text, value, std::chars_format::general, 3).ptr};
}

std::string exact(double value) {
  char text[40];
  return {text, std::to_chars(text, text + sizeof text, value).ptr};
}

// A frame with the ends of both axes, and the points; `names` instead of numbers where the x axis has categories.
class Picture {
 public:
  Picture(double width, Axis x, Axis y, const Ledger& ledger, const std::vector<std::string>& names = {})
      : width_(width),
        x_(x),
        y_(y),
        body_(cat("<svg viewBox=\"0 0 ", svg_number(width), " ", svg_number(kHeight), "\" width=\"", svg_number(width),
                  "\" role=\"img\">\n")) {
    body_ += cat("<path class=\"axis\" d=\"M ", svg_number(kLeft), " ", svg_number(kTop), " V ", svg_number(kHeight - kBottom),
                 " H ", svg_number(width - kRight), "\"/>\n");
    text(kLeft - 6, kTop + 10, shown_score(ledger, y.high), "end");
    text(kLeft - 6, kHeight - kBottom, shown_score(ledger, y.low), "end");
    if (names.empty()) {
      text(kLeft, kHeight - kBottom + 18, short_number(x.low), "start");
      text(width - kRight, kHeight - kBottom + 18, short_number(x.high), "end");
    }
    for (size_t i = 0; i < names.size(); ++i) text(at_x(static_cast<double>(i)), kHeight - kBottom + 18, names[i], "middle");
  }
  void dots(const std::vector<Point>& points) {
    for (const Point& p : points)
      body_ += cat("<circle class=\"dot\" r=\"4\" cx=\"", svg_number(at_x(p.x)), "\" cy=\"", svg_number(at_y(p.y)),
                   "\" data-trial=\"", p.trial, "\"><title>", html_escaped(p.note), "</title></circle>\n");
  }
  // Steps from left to right: the best so far.
  void steps(const std::vector<Point>& points) {
    std::string path;
    for (const Point& p : points)
      path += path.empty() ? cat("M ", svg_number(at_x(p.x)), " ", svg_number(at_y(p.y)))
                           : cat(" H ", svg_number(at_x(p.x)), " V ", svg_number(at_y(p.y)));
    body_ += "<path class=\"best\" d=\"" + path + "\"/>\n";
  }
  std::string figure(const std::string& caption) const {
    return "<figure>" + body_ + "</svg>\n<figcaption>" + html_escaped(caption) + "</figcaption></figure>\n";
  }

 private:
  double at_x(double value) const { return kLeft + 8 + x_.place(value) * (width_ - kLeft - kRight - 16); }
  double at_y(double value) const { return kHeight - kBottom - 8 - y_.place(value) * (kHeight - kBottom - kTop - 16); }
  void text(double x, double y, const std::string& content, const char* anchor) {
    body_ += cat("<text x=\"", svg_number(x), "\" y=\"", svg_number(y), "\" text-anchor=\"", anchor, "\">",
                 html_escaped(content), "</text>\n");
  }

  double width_;
  Axis x_, y_;
  std::string body_;
};

std::string note_of(const Ledger& ledger, int64_t trial, double score, int64_t epochs) {
  return cat("trial ", trial, ", ", epochs, " epochs: ", shown_score(ledger, score), "\n",
             describe(ledger.trials[static_cast<size_t>(trial)]));
}

std::string over_time(const Ledger& ledger) {
  std::vector<Point> points, best;
  std::vector<double> times, scores;
  double seconds = 0;
  for (const Result& r : ledger.results) {
    seconds += r.seconds;
    if (r.failed()) continue;
    points.push_back({seconds, r.score, r.job.trial, note_of(ledger, r.job.trial, r.score, r.epochs)});
    times.push_back(seconds), scores.push_back(r.score);
    const double sign = ledger.metric.larger_is_better ? 1 : -1;
    const bool better = best.empty() || sign * r.score > sign * best.back().y;
    best.push_back({seconds, better ? r.score : best.back().y, 0, ""});
  }
  if (points.empty()) return "";
  Picture picture(kWide, axis_of(times, false), axis_of(scores, false), ledger);
  picture.steps(best);
  picture.dots(points);
  return "<h2>Scores over time</h2>\n" + picture.figure("seconds of training; the line is the best so far");
}

std::optional<double> number_of(const std::string& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

// The score of each trial against the value of field number `field`.
std::string over_field(const Ledger& ledger, size_t field) {
  std::vector<std::string> names;  // of the categories, if one value is no number
  bool numbers = true;
  for (const Values& values : ledger.trials) numbers = numbers && number_of(values[field].second);
  std::vector<Point> points;
  std::vector<double> xs, ys;
  for (const Standing& s : ranking(ledger)) {
    if (!s.score || !s.failure.empty()) continue;
    const std::string& text = ledger.trials[static_cast<size_t>(s.trial)][field].second;
    double x = 0;
    if (numbers) {
      x = *number_of(text);
    } else {
      const auto found = std::find(names.begin(), names.end(), text);
      x = static_cast<double>(found - names.begin());
      if (found == names.end()) names.push_back(text);
    }
    points.push_back({x, *s.score, s.trial, note_of(ledger, s.trial, *s.score, s.epochs)});
    xs.push_back(x), ys.push_back(*s.score);
  }
  if (points.empty()) return "";
  // Categories have half a place of room on both sides.
  const Axis x_axis = numbers ? axis_of(xs, true) : Axis{-0.5, static_cast<double>(names.size()) - 0.5};
  Picture picture(kSmall, x_axis, axis_of(ys, false), ledger, names);
  picture.dots(points);
  return picture.figure(ledger.trials.front()[field].first);
}

std::string cell(const std::string& text, const std::string& value) {
  return "<td class=\"n\" data-value=\"" + html_escaped(value) + "\">" + html_escaped(text) + "</td>";
}

std::string table(const Ledger& ledger) {
  std::string html = "<div class=\"wide\"><table id=\"trials\"><thead><tr>";
  for (const std::string& head :
       {std::string("rank"), std::string("trial"), ledger.metric.label, std::string("epochs"), std::string("seconds")})
    html += "<th class=\"n\" data-sort>" + html_escaped(head) + "</th>";
  if (!ledger.trials.empty())
    for (const auto& entry : ledger.trials.front()) html += "<th data-sort>" + html_escaped(entry.first) + "</th>";
  html += "<th></th></tr></thead>\n<tbody>\n";
  const std::vector<Standing> standings = ranking(ledger);
  for (size_t i = 0; i < standings.size(); ++i) {
    const Standing& s = standings[i];
    const bool good = s.score && s.failure.empty();
    html += cat("<tr data-trial=\"", s.trial, "\">", cell(cat(i + 1), cat(i + 1)), cell(cat(s.trial), cat(s.trial)));
    html += cell(good ? shown_score(ledger, *s.score) : "failed", good ? exact(*s.score) : "");
    html += cell(cat(s.epochs), cat(s.epochs)) + cell(short_number(s.seconds), exact(s.seconds));
    for (const auto& entry : ledger.trials[static_cast<size_t>(s.trial)]) html += "<td>" + html_escaped(entry.second) + "</td>";
    html += "<td class=\"bad\">" + html_escaped(s.failure) + "</td></tr>\n";
  }
  return html + "</tbody></table></div>\n";
}

}  // namespace

std::string search_page(const Ledger& ledger) {
  std::string body = "<h1>Hyper-parameter search</h1>\n";
  double seconds = 0;
  for (const Result& r : ledger.results) seconds += r.seconds;
  body += cat("<p>", ledger.trials.size(), " trials, ", ledger.results.size(), " results, ", short_number(seconds),
              " s of training.");
  const std::vector<Standing> standings = ranking(ledger);
  if (!standings.empty() && standings.front().score && standings.front().failure.empty()) {
    const Standing& best = standings.front();
    body += cat(" The best so far is trial ", best.trial, " after ", best.epochs, " epochs: ", shown_score(ledger, *best.score),
                ".");
  }
  body += " Scores are those of training images that no trial was trained on.</p>\n" + over_time(ledger);
  if (!ledger.trials.empty()) {
    body += "<h2>Score against each field</h2>\n";
    for (size_t field = 0; field < ledger.trials.front().size(); ++field) body += over_field(ledger, field);
  }
  body += "<h2>Trials</h2>\n" + table(ledger);
  body += "<details><summary>Settings</summary><pre>" + html_escaped(ledger.settings) + "</pre></details>\n";
  return html_page("Hyper-parameter search", body, kLook, kScript);
}

}  // namespace vitrail::search
