#include "train/report/curves.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "base/html.h"
#include "train/progress.h"

namespace vitrail::report {

namespace {

// More points than a chart has pixels show nothing.
constexpr size_t kMostPoints = 1000, kMostTableRows = 200;

// Every n-th point, the last one always.
Points thinned(Points points) {
  if (points.size() <= kMostPoints) return points;
  const size_t stride = (points.size() + kMostPoints - 1) / kMostPoints;
  Points result;
  for (size_t i = (points.size() - 1) % stride; i < points.size(); i += stride) result.push_back(points[i]);
  return result;
}

Points column(const RunData& run, const std::string& name, double factor = 1) {
  Points points;
  for (const MetricsRow& row : run.rows)
    if (const std::optional<double> value = row.find(name)) points.emplace_back(run.epochs(row), factor * *value);
  return thinned(std::move(points));
}

Points fine(const RunData& run, const std::function<double(const CurvePoint&)>& value) {
  Points points;
  for (const CurvePoint& point : run.curve) points.emplace_back(point.epochs, value(point));
  return points;
}

// The mean over a fortieth of the run: what the eye would do to the noise of single updates.
Points smoothed(const Points& points) {
  const auto half = static_cast<int64_t>(points.size()) / 80, count = static_cast<int64_t>(points.size());
  Points result;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t from = std::max<int64_t>(0, i - half), to = std::min(count, i + half + 1);
    double sum = 0;
    for (int64_t k = from; k < to; ++k) sum += points[static_cast<size_t>(k)].second;
    result.emplace_back(points[static_cast<size_t>(i)].first, sum / static_cast<double>(to - from));
  }
  return result;
}

// A range of more than a decade and a half hides its lower half on a linear axis.
bool wide(const Points& points) {
  double low = 0, high = 0;
  for (const auto& [x, y] : points) {
    if (!(y > 0) || !std::isfinite(y)) return false;
    low = low == 0 ? y : std::min(low, y), high = std::max(high, y);
  }
  return low > 0 && high / low > 30;
}

double loss_of(const CurvePoint& point) { return point.loss; }
double lr_of(const CurvePoint& point) { return point.lr; }
double norm_of(const CurvePoint& point) { return point.grad_norm; }

// The fine curve where the run has one, else the rows.
Points fine_or_column(const RunData& run, double (*value)(const CurvePoint&), const std::string& name) {
  return run.curve.empty() ? column(run, name) : fine(run, value);
}

}  // namespace

std::vector<Chart> charts_of(const RunData& run) {
  std::vector<Chart> charts;
  for (const std::string& score : score_names(run.rows)) {
    const bool part = is_part(score, run.rows);
    const double factor = part ? 100 : 1;
    Chart chart{score_label(score), part ? " %" : ""};
    if (score == "loss" && !run.curve.empty()) {
      const Points points = fine(run, loss_of);
      chart.series.push_back({"each update", 0, points, false, true});
      chart.series.push_back({"training", 0, smoothed(points)});
    } else {
      chart.series.push_back({"training", 0, column(run, "train_" + score, factor)});
    }
    chart.series.push_back({run.tested, 1, column(run, "test_" + score, factor)});
    chart.series.push_back({"training, clean", 2, column(run, "clean_" + score, factor), true});
    charts.push_back(std::move(chart));
  }
  charts.push_back({"Learning rate", "", {{"learning rate", 0, fine_or_column(run, lr_of, "lr")}}});
  const Points norms = fine_or_column(run, norm_of, "grad_norm");
  charts.push_back({"Gradient norm, before clipping",
                    "",
                    {{"each update", 0, norms, false, true}, {"gradient norm", 0, smoothed(norms)}},
                    wide(norms)});
  charts.push_back({"Images per second", "", {{"training", 0, column(run, "images_per_second")}}});
  return charts;
}

std::vector<Chart> charts_of(const std::vector<RunData>& runs) {
  std::vector<MetricsRow> all;
  for (const RunData& run : runs) all.insert(all.end(), run.rows.begin(), run.rows.end());
  std::vector<Chart> charts;
  const auto add = [&](const std::string& title, const char* unit, const std::function<Points(const RunData&)>& points) {
    Chart chart{title, unit};
    for (size_t i = 0; i < runs.size(); ++i)
      chart.series.push_back({runs[i].name, static_cast<int>(i % kColours), points(runs[i]), i >= kColours});
    charts.push_back(std::move(chart));
  };
  add("Training loss", "",
      [](const RunData& run) { return run.curve.empty() ? column(run, "train_loss") : smoothed(fine(run, loss_of)); });
  for (const std::string& score : score_names(all)) {
    const bool part = is_part(score, all);
    for (const char* prefix : {"test_", "train_"}) {
      if (score == "loss" && prefix == std::string("train_")) continue;
      add(cat(prefix == std::string("test_") ? capital(tested_name(runs)) + " " : "Training ", lower_label(score)),
          part ? " %" : "", [&](const RunData& run) { return column(run, prefix + score, part ? 100 : 1); });
    }
  }
  add("Learning rate", "", [](const RunData& run) { return fine_or_column(run, lr_of, "lr"); });
  add("Gradient norm, before clipping", "",
      [](const RunData& run) { return smoothed(fine_or_column(run, norm_of, "grad_norm")); });
  add("Images per second", "", [](const RunData& run) { return column(run, "images_per_second"); });
  return charts;
}

std::string charts_html(const std::vector<Chart>& charts) {
  std::string html = "<div class=\"charts\">\n";
  for (const Chart& chart : charts) html += chart_html(chart);
  return html + "</div>\n";
}

std::string epochs_table(const RunData& run) {
  std::vector<std::string> names;
  for (const MetricsRow& row : run.rows)
    for (const auto& entry : row.values)
      if (std::find(names.begin(), names.end(), entry.first) == names.end()) names.push_back(entry.first);
  std::string html = "<div class=\"wide\"><table><thead><tr><th class=\"n\">epoch</th><th class=\"n\">step</th>";
  for (const std::string& name : names) html += cat("<th class=\"n\">", html_escaped(name), "</th>");
  html += "</tr></thead><tbody>\n";
  const size_t first = run.rows.size() > kMostTableRows ? run.rows.size() - kMostTableRows : 0;
  for (size_t i = first; i < run.rows.size(); ++i) {
    const MetricsRow& row = run.rows[i];
    html += cat("<tr><td class=\"n\">", row.epoch, "</td><td class=\"n\">", row.step, "</td>");
    for (const std::string& name : names) {
      const std::optional<double> value = row.find(name);
      html += cat("<td class=\"n\">", value ? shown(*value) : "", "</td>");
    }
    html += "</tr>\n";
  }
  html += "</tbody></table></div>\n";
  if (first > 0)
    html += cat("<p class=\"faint\">The last ", kMostTableRows, " of ", run.rows.size(), " epochs; metrics.csv has all.</p>\n");
  return html;
}

}  // namespace vitrail::report
