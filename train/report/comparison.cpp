#include "train/report/comparison.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/html.h"
#include "train/progress.h"
#include "train/report/curves.h"
#include "train/report/look.h"

namespace vitrail::report {

namespace {

void make_names_unique(std::vector<RunData>& runs) {
  std::map<std::string, int> seen;
  for (const RunData& run : runs) ++seen[run.name];
  std::map<std::string, int> given;
  for (RunData& run : runs)
    if (seen[run.name] > 1) run.name += cat(" (", ++given[run.name], ")");
}

struct Column {
  std::string title, name;
  double (*best)(double, double) = nullptr;  // which of two is better; null: neither
  bool part = false;
};

double larger(double a, double b) { return std::max(a, b); }
double smaller(double a, double b) { return std::min(a, b); }

std::vector<Column> result_columns(const std::vector<RunData>& runs) {
  std::vector<MetricsRow> all;
  for (const RunData& run : runs) all.insert(all.end(), run.rows.begin(), run.rows.end());
  std::vector<Column> columns;
  std::vector<std::string> scores = score_names(all);
  std::stable_partition(scores.begin(), scores.end(), [&](const std::string& score) { return is_part(score, all); });
  for (const std::string& score : scores) {
    const bool part = is_part(score, all), loss = score.find("loss") != std::string::npos;
    columns.push_back({tested_name(runs) + " " + score, "test_" + score, part ? larger : loss ? smaller : nullptr, part});
    columns.push_back({"training " + score, "train_" + score, nullptr, part});
    columns.push_back({"clean " + score, "clean_" + score, nullptr, part});
  }
  columns.push_back({"images/s", "images_per_second"});
  std::erase_if(columns, [&](const Column& column) {
    return std::none_of(all.begin(), all.end(), [&](const MetricsRow& row) { return row.find(column.name).has_value(); });
  });
  return columns;
}

std::optional<double> last_value(const RunData& run, const std::string& name) {
  const MetricsRow* row = run.last_with(name);
  return row ? row->find(name) : std::nullopt;
}

std::string results_table(const std::vector<RunData>& runs) {
  const std::vector<Column> columns = result_columns(runs);
  std::string html =
      "<div class=\"wide\"><table class=\"sortable\"><thead><tr><th>run</th><th class=\"n\">epochs</th><th "
      "class=\"n\">updates</th>";
  for (const Column& column : columns) html += cat("<th class=\"n\">", html_escaped(column.title), "</th>");
  html += "<th class=\"n\">time</th></tr></thead><tbody>\n";
  for (size_t i = 0; i < runs.size(); ++i) {
    const MetricsRow& last = runs[i].rows.back();
    html += cat("<tr><td><span class=\"key\"><i class=\"", i >= kColours ? "dashed " : "", "s", i % kColours, "\"></i></span>",
                html_escaped(runs[i].name), "</td><td class=\"n\">", last.epoch, "</td><td class=\"n\">", last.step, "</td>");
    for (const Column& column : columns) {
      const std::optional<double> value = last_value(runs[i], column.name);
      bool best = value && column.best && runs.size() > 1;
      for (const RunData& other : runs) {
        const std::optional<double> theirs = last_value(other, column.name);
        if (best && theirs && column.best(*value, *theirs) != *value) best = false;
      }
      html += cat("<td class=\"n", best ? " top" : "", "\" data-v=\"", value ? cat(*value) : "-1", "\">",
                  !value        ? ""
                  : column.part ? percent(*value)
                                : shown(*value),
                  "</td>");
    }
    html += cat("<td class=\"n\">", format_duration(last.find("seconds").value_or(0)), "</td></tr>\n");
  }
  return html +
         "</tbody></table></div>\n<p class=\"faint\">After the last epoch of each run; the best of a column is bold.</p>\n";
}

// The names of the facts that two runs have different, in the order of the first run that has them.
std::vector<std::string> differing(const std::vector<RunData>& runs, Facts RunData::*facts) {
  std::vector<std::string> names;
  for (const RunData& run : runs)
    for (const auto& fact : run.*facts)
      if (std::find(names.begin(), names.end(), fact.first) == names.end()) names.push_back(fact.first);
  std::erase_if(names, [&](const std::string& name) {
    std::set<std::string> values;
    for (const RunData& run : runs) {
      std::string value = "\x01";  // none
      for (const auto& fact : run.*facts)
        if (fact.first == name) value = fact.second;
      values.insert(value);
    }
    return values.size() < 2;
  });
  return names;
}

std::string differences_table(const std::vector<RunData>& runs, Facts RunData::*facts, const char* title) {
  const std::vector<std::string> names = differing(runs, facts);
  if (names.empty()) return "";
  std::string html = cat("<h3>", title, "</h3><div class=\"wide\"><table><thead><tr><th></th>");
  for (const RunData& run : runs) html += cat("<th>", html_escaped(run.name), "</th>");
  html += "</tr></thead><tbody>\n";
  for (const std::string& name : names) {
    html += cat("<tr><th>", html_escaped(name), "</th>");
    for (const RunData& run : runs) {
      std::string value;
      for (const auto& fact : run.*facts)
        if (fact.first == name) value = fact.second;
      html += cat("<td>", html_escaped(value), "</td>");
    }
    html += "</tr>\n";
  }
  return html + "</tbody></table></div>\n";
}

}  // namespace

std::string comparison_page(std::vector<RunData> runs) {
  check(!runs.empty() && runs.size() <= kMostRuns, ErrorKind::kValue, "report", "a page compares 1 to ", kMostRuns,
        " runs: there are ", runs.size(), ".");
  make_names_unique(runs);
  const std::string title = runs.size() == 1 ? runs[0].name : cat(runs.size(), " runs compared");
  std::string body = cat("<main>\n<header><h1>", html_escaped(title), "</h1></header>\n<section><h2>Results</h2>\n",
                         results_table(runs), "</section>\n<section><h2>Curves</h2>\n",
                         charts_html(runs.size() == 1 ? charts_of(runs[0]) : charts_of(runs)), "</section>\n");
  if (runs.size() > 1) {
    const std::string differences =
        differences_table(runs, &RunData::recipe, "Recipe") + differences_table(runs, &RunData::about, "Run and machine");
    body += cat("<section><h2>What differs</h2>\n",
                differences.empty() ? "<p>Nothing that the runs have recorded.</p>\n" : differences, "</section>\n");
  }
  for (const RunData& run : runs)
    body += cat("<details><summary>", html_escaped(run.name), ": the numbers of each epoch</summary>\n", epochs_table(run),
                "</details>\n");
  return html_page(title, body + "</main>\n", kStyle, kScript);
}

}  // namespace vitrail::report
