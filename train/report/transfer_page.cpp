#include "train/report/transfer_page.h"

#include <algorithm>
#include <cstdio>

#include "base/error.h"
#include "base/html.h"
#include "base/json.h"
#include "base/json_writer.h"
#include "base/text.h"
#include "train/report/chart.h"
#include "train/report/look.h"

namespace vitrail::report {

namespace {

std::string described(const std::string& method) {
  const std::pair<const char*, const char*> words[] = {{"knn", "nearest neighbours on frozen features"},
                                                       {"ridge", "ridge regression on frozen features"},
                                                       {"lora", "low-rank updates"},
                                                       {"partial", "the last two blocks"},
                                                       {"full", "every weight"},
                                                       {"scratch", "the same architecture from new weights"}};
  for (const auto& [name, text] : words)
    if (method == name) return text;
  return "";
}

std::string rounded(double value, int digits) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

std::vector<std::string> methods_of(const std::vector<TransferRow>& rows) {
  std::vector<std::string> methods;
  for (const TransferRow& row : rows)
    if (std::find(methods.begin(), methods.end(), row.method) == methods.end()) methods.push_back(row.method);
  return methods;
}

// One line for each method: a point for each share.
Chart chart_of(const std::vector<TransferRow>& rows, const char* title, const char* x_name, double (*x)(const TransferRow&)) {
  Chart chart{.title = title, .unit = " %", .x_name = x_name};
  int colour = 0;
  for (const std::string& method : methods_of(rows)) {
    Series series;
    series.name = method, series.colour = colour++ % kColours;
    for (const TransferRow& row : rows)
      if (row.method == method) series.points.emplace_back(x(row), 100 * row.accuracy);
    std::sort(series.points.begin(), series.points.end());
    chart.series.push_back(std::move(series));
  }
  return chart;
}

}  // namespace

std::string transfer_table(const std::vector<TransferRow>& rows) {
  std::string text = "method    share  images  accuracy   seconds   trained      MB\n";
  for (const TransferRow& row : rows) {
    char line[160];
    std::snprintf(line, sizeof line, "%-8s %5.0f %% %7lld %7.2f %% %9.1f %9lld %7.3f\n", row.method.c_str(), 100 * row.share,
                  static_cast<long long>(row.images), 100 * row.accuracy, row.seconds, static_cast<long long>(row.trained),
                  row.megabytes);
    text += line;
  }
  return text;
}

std::string transfer_json(const std::vector<TransferRow>& rows) {
  JsonWriter json(2);
  json.begin_array();
  for (const TransferRow& row : rows) {
    json.begin_object().field("method", row.method).field("share", row.share).field("images", row.images);
    json.field("top1", row.accuracy).field("seconds", row.seconds).field("trained_parameters", row.trained);
    json.field("megabytes", row.megabytes).field("folder", row.folder).end_object();
  }
  return json.end_array().text();
}

std::vector<TransferRow> transfer_rows(const std::string& text, const std::string& where) {
  constexpr double kAny = 1e15;
  constexpr int64_t kMost = int64_t{1} << 53;
  const JsonDocument document(cat("{\"rows\": ", text, "}"), where);
  JsonObject root(document.root(), where, "rows", ErrorKind::kData);
  std::vector<TransferRow> result;
  for (JsonObject& json : root.objects("rows")) {
    TransferRow row;
    row.method = json.text("method"), row.share = json.number("share", 0, 1), row.images = json.integer("images", 0, kMost);
    row.accuracy = json.number("top1", 0, 1), row.seconds = json.number("seconds", 0, kAny);
    row.trained = json.integer("trained_parameters", 0, kMost), row.megabytes = json.number("megabytes", 0, kAny);
    row.folder = json.text_or("folder", "");
    result.push_back(std::move(row));
  }
  return result;
}

std::string transfer_rows_html(const std::vector<TransferRow>& rows) {
  std::string body =
      "<div class=\"wide\"><table class=\"sortable\"><thead><tr><th>method</th><th></th><th class=\"n\">share</th>"
      "<th class=\"n\">pictures</th><th class=\"n\">accuracy</th><th class=\"n\">seconds</th><th class=\"n\">trained</th>"
      "<th class=\"n\">MB</th></tr></thead><tbody>\n";
  for (const TransferRow& row : rows)
    body += cat("<tr><td>", html_escaped(row.method), "</td><td>", described(row.method), "</td><td class=\"n\">",
                rounded(100 * row.share, 0), " %</td><td class=\"n\">", row.images, "</td><td class=\"n\">",
                rounded(100 * row.accuracy, 2), " %</td><td class=\"n\">", rounded(row.seconds, 1), "</td><td class=\"n\">",
                row.trained, "</td><td class=\"n\">", rounded(row.megabytes, 3), "</td></tr>\n");
  return body + "</tbody></table></div>\n";
}

std::string transfer_page(const std::string& title, const std::vector<TransferRow>& rows,
                          const std::vector<std::string>& left_out) {
  std::string body = cat("<h1>", html_escaped(title), "</h1>\n");
  body += chart_html(chart_of(rows, "Accuracy against training pictures", "training pictures",
                              [](const TransferRow& row) { return static_cast<double>(row.images); }));
  body += chart_html(chart_of(rows, "Accuracy against seconds", "seconds", [](const TransferRow& row) { return row.seconds; }));
  body += transfer_rows_html(rows);
  if (!left_out.empty()) body += cat("<p>Left out for want of time: ", html_escaped(listed(left_out, 20)), ".</p>\n");
  return html_page(title, body, kStyle, kScript);
}

}  // namespace vitrail::report
