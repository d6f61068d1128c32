#include "train/report/answers.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/html.h"
#include "base/svg.h"
#include "base/text.h"
#include "train/report/chart.h"

namespace vitrail::report {

namespace {

// Up to 20 classes a cell has room for its count, up to 40 for a class's name beside it; above 100 it is a dot too small to
// hit.
constexpr int64_t kMostCounted = 20, kMostNamed = 40, kMostDrawn = 100;
constexpr size_t kMostPairs = 15;

double share(int64_t part, int64_t whole) { return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : 0; }

std::string cut(const std::string& name, size_t characters) {
  size_t at = 0, count = 0;
  while (at < name.size() && count < characters) at += std::max<size_t>(1, utf8_length(name, at)), ++count;
  return at < name.size() ? name.substr(0, at) + "\xe2\x80\xa6" : name;
}

std::string cell(double x, double y, double side, const ConfusionMatrix& matrix, int64_t truth, int64_t answer, int64_t count,
                 const std::vector<std::string>& names) {
  const double part = share(count, matrix.images(truth));
  const std::string tip = cat(names[truth], truth == answer ? ", recognised: " : cat(", taken for ", names[answer], ": "),
                              count, " of ", matrix.images(truth), " (", percent(part), ")");
  // The square root makes a single mistake among hundreds visible.
  std::string svg = cat("<rect class=\"cell s", truth == answer ? 0 : 1, "\" x=\"", svg_number(x), "\" y=\"", svg_number(y),
                        "\" width=\"", svg_number(side - 1), "\" height=\"", svg_number(side - 1), "\" fill-opacity=\"",
                        svg_number(0.12 + 0.88 * std::sqrt(part)), "\" data-tip=\"", html_escaped(tip), "\"/>");
  if (matrix.classes() <= kMostCounted)
    svg += cat("<text class=\"", part > 0.25 ? "on" : "count", "\" x=\"", svg_number(x + side / 2 - 0.5), "\" y=\"",
               svg_number(y + side / 2 + 3.5), "\" text-anchor=\"middle\">", count, "</text>");
  return svg;
}

std::string matrix_svg(const ConfusionMatrix& matrix, const std::vector<std::string>& names) {
  const int64_t classes = matrix.classes();
  const bool named = classes <= kMostNamed;
  const double side = classes <= 12 ? 34 : classes <= kMostCounted ? 28 : named ? 16 : 7;
  size_t longest = 0;
  for (const std::string& name : names) longest = std::max(longest, std::min<size_t>(name.size(), 14));
  const double left = named ? 26 + 6.5 * static_cast<double>(longest) : 22, top = left;
  const double width = left + side * static_cast<double>(classes) + 2, height = top + side * static_cast<double>(classes) + 2;
  std::string svg =
      cat("<svg class=\"matrix\" width=\"", svg_number(width), "\" height=\"", svg_number(height), "\" viewBox=\"0 0 ",
          svg_number(width), " ", svg_number(height), "\" role=\"img\" aria-label=\"Confusion matrix of ", classes,
          " classes; the tables beside it say the same.\">");
  svg += cat("<text x=\"", svg_number(left), "\" y=\"12\">answer \xe2\x86\x92</text><text transform=\"translate(12 ",
             svg_number(top), ") rotate(-90)\" text-anchor=\"end\">\xe2\x86\x90 truth</text>");
  for (int64_t c = 0; named && c < classes; ++c) {
    const double middle = side * (static_cast<double>(c) + 0.5) + 3;
    const std::string name = html_escaped(cut(names[c], 14));
    svg += cat("<text x=\"", svg_number(left - 6), "\" y=\"", svg_number(top + middle), "\" text-anchor=\"end\">", name,
               "</text>");
    svg += cat("<text transform=\"translate(", svg_number(left + middle), " ", svg_number(top - 6), ") rotate(-90)\">", name,
               "</text>");
  }
  svg += cat("<rect class=\"frame\" x=\"", svg_number(left - 1), "\" y=\"", svg_number(top - 1), "\" width=\"",
             svg_number(width - left), "\" height=\"", svg_number(height - top), "\"/>");
  const auto add = [&](int64_t truth, int64_t answer, int64_t count) {
    svg += cell(left + side * static_cast<double>(answer), top + side * static_cast<double>(truth), side, matrix, truth, answer,
                count, names);
  };
  for (int64_t c = 0; c < classes; ++c)
    if (matrix.count(c, c) > 0) add(c, c, matrix.count(c, c));
  for (const auto& [truth, answer, count] : matrix.confusions()) add(truth, answer, count);
  return svg + "</svg>";
}

std::string bar_cell(double part) {
  return cat("<td class=\"n bar\" data-v=\"", svg_number(100 * part), "\"><i style=\"--p:", svg_number(100 * part), "%\"></i>",
             percent(part), "</td>");
}

}  // namespace

std::string confusion_html(const EvaluationDetails& details) {
  const ConfusionMatrix& matrix = *details.confusion;
  const std::vector<std::string>& names = details.class_names;
  std::string html = "<div class=\"beside\">\n";
  if (matrix.classes() <= kMostDrawn) html += "<div class=\"wide\">" + matrix_svg(matrix, names) + "</div>\n";
  const auto pairs = matrix.confusions();
  html += "<div><h3>Most frequent confusions</h3>\n";
  if (pairs.empty()) return html + "<p>None: every answer is right.</p></div></div>\n";
  html +=
      "<div class=\"wide\"><table><thead><tr><th>truth</th><th>answer</th><th class=\"n\">images</th><th class=\"n\">of the "
      "class</th></tr></thead><tbody>\n";
  for (size_t i = 0; i < std::min(pairs.size(), kMostPairs); ++i) {
    const auto& [truth, answer, count] = pairs[i];
    html += cat("<tr><td>", html_escaped(names[truth]), "</td><td>", html_escaped(names[answer]), "</td><td class=\"n\">",
                count, "</td><td class=\"n\">", percent(share(count, matrix.images(truth))), "</td></tr>\n");
  }
  html += "</tbody></table></div>";
  if (pairs.size() > kMostPairs) html += cat("<p class=\"faint\">and ", pairs.size() - kMostPairs, " other pairs</p>");
  return html + "</div></div>\n";
}

std::string classes_html(const EvaluationDetails& details) {
  const ConfusionMatrix& matrix = *details.confusion;
  std::string html =
      "<div class=\"wide tall\"><table class=\"sortable\"><thead><tr><th>class</th><th class=\"n\">images</th><th "
      "class=\"n\">precision</th>"
      "<th class=\"n\">recall</th><th class=\"n\">F1</th></tr></thead><tbody>\n";
  for (int64_t c = 0; c < matrix.classes(); ++c)
    html += cat("<tr><td>", html_escaped(details.class_names[c]), "</td><td class=\"n\" data-v=\"", matrix.images(c), "\">",
                matrix.images(c), "</td>", bar_cell(matrix.precision(c)), bar_cell(matrix.recall(c)), bar_cell(matrix.f1(c)),
                "</tr>\n");
  html += "</tbody></table></div>\n";
  return html +
         "<p class=\"faint\">Precision: of the images called this class, the part that is. Recall: of the images of this "
         "class, the part "
         "that was found. F1: their harmonic mean. A click on a heading sorts.</p>\n";
}

std::string labels_html(const EvaluationDetails& details) {
  std::string html =
      "<div class=\"wide tall\"><table class=\"sortable\"><thead><tr><th>class</th><th class=\"n\">images</th><th "
      "class=\"n\">average precision</th><th class=\"n\">precision</th><th class=\"n\">recall</th><th "
      "class=\"n\">F1</th></tr></thead><tbody>\n";
  for (size_t c = 0; c < details.labels.size(); ++c) {
    const LabelResult& label = details.labels[c];
    html += cat("<tr><td>", html_escaped(details.class_names[c]), "</td><td class=\"n\" data-v=\"", label.images, "\">",
                label.images, "</td>",
                label.average_precision ? bar_cell(*label.average_precision) : "<td class=\"n\" data-v=\"-1\">none</td>",
                bar_cell(label.precision()), bar_cell(label.recall()), bar_cell(label.f1()), "</tr>\n");
  }
  html += "</tbody></table></div>\n";
  return html +
         "<p class=\"faint\">Average precision: how well the probabilities put the images with the class in front of the "
         "others; none "
         "where no image has it. Precision, recall and F1 are those of the answers above the threshold. A click on a heading "
         "sorts.</p>\n";
}

namespace {

// Bars of accuracy over confidence; the distance to the diagonal is what the model does not know of itself.
std::string reliability_svg(const Calibration& calibration) {
  constexpr double kLeft = 44, kTop = 8, kSide = 220, kCounts = 44;
  const auto& bins = calibration.bins();
  const double width = kSide / static_cast<double>(bins.size());
  int64_t most = 1;
  for (const Calibration::Bin& bin : bins) most = std::max(most, bin.answers);
  const auto y = [&](double part) { return kTop + kSide * (1 - part); };
  std::string svg =
      "<svg class=\"plot small\" viewBox=\"0 0 280 330\" role=\"img\" aria-label=\"Reliability diagram; the table below says "
      "the same.\">";
  for (const double part : {0.0, 0.25, 0.5, 0.75, 1.0}) {
    svg += cat("<path class=\"grid\" d=\"M", kLeft, " ", svg_number(y(part)), "h", kSide, "\"/><text x=\"", kLeft - 6,
               "\" y=\"", svg_number(y(part) + 4), "\" text-anchor=\"end\">", svg_number(100 * part), " %</text>");
    svg += cat("<text x=\"", svg_number(kLeft + kSide * part), "\" y=\"", svg_number(kTop + kSide + kCounts + 22),
               "\" text-anchor=\"middle\">", svg_number(100 * part), " %</text>");
  }
  for (size_t i = 0; i < bins.size(); ++i) {
    const Calibration::Bin& bin = bins[i];
    if (bin.answers == 0) continue;
    const double x = kLeft + width * static_cast<double>(i), low = std::min(bin.accuracy(), bin.confidence()),
                 high = std::max(bin.accuracy(), bin.confidence());
    const std::string tip = html_escaped(cat(bin.answers, " answers with a confidence of ", percent(bin.confidence()),
                                             " on average: ", percent(bin.accuracy()), " right"));
    const auto rect = [&](const char* type, double top, double height) {
      svg += cat("<rect class=\"", type, "\" x=\"", svg_number(x + 0.5), "\" y=\"", svg_number(top), "\" width=\"",
                 svg_number(width - 1), "\" height=\"", svg_number(height), "\" data-tip=\"", tip, "\"/>");
    };
    rect("cell s0", y(bin.accuracy()), kSide * bin.accuracy());
    rect("gap s1", y(high), kSide * (high - low));
    const double height = std::max(1.0, (kCounts - 10) * share(bin.answers, most));
    rect("cell s5", kTop + kSide + kCounts + 4 - height, height);
  }
  svg += cat("<path class=\"line dashed s5\" d=\"M", kLeft, " ", y(0), "L", kLeft + kSide, " ", y(1), "\"/>");
  return svg + cat("<text x=\"", kLeft + kSide / 2, "\" y=\"", kTop + kSide + kCounts + 42,
                   "\" text-anchor=\"middle\">confidence; below it the number of answers</text></svg>");
}

}  // namespace

std::string calibration_html(const Calibration& calibration) {
  const Calibration::Bin all = calibration.total();
  const double difference = all.confidence() - all.accuracy();
  std::string html =
      cat("<div class=\"beside\"><figure class=\"chart narrow\"><figcaption><b>Reliability</b><span class=\"key\"><i "
          "class=\"s0\"></i>accuracy</span>"
          "<span class=\"key\"><i class=\"s1\"></i>distance to the confidence</span></figcaption>",
          reliability_svg(calibration), "</figure>\n<div><p>Expected calibration error: <b>", percent(calibration.error()),
          "</b></p><p>The model is ", percent(all.confidence()), " sure on average and ", percent(all.accuracy()),
          " of its answers are right: ");
  html += std::abs(difference) < 0.01 ? "it knows how sure it may be."
          : difference > 0            ? "it is too sure of itself."
                                      : "it is more cautious than it needs to be (label smoothing, mixup and a short training do that).";
  html +=
      "</p>\n<details><summary>As a table</summary><div class=\"wide\"><table><thead><tr><th class=\"n\">confidence "
      "above</th><th class=\"n\">answers</th>"
      "<th class=\"n\">mean confidence</th><th class=\"n\">accuracy</th></tr></thead><tbody>\n";
  const auto& bins = calibration.bins();
  for (size_t i = 0; i < bins.size(); ++i)
    html +=
        cat("<tr><td class=\"n\">", percent(static_cast<double>(i) / static_cast<double>(bins.size())), "</td><td class=\"n\">",
            bins[i].answers, "</td><td class=\"n\">", bins[i].answers ? percent(bins[i].confidence()) : "",
            "</td><td class=\"n\">", bins[i].answers ? percent(bins[i].accuracy()) : "", "</td></tr>\n");
  return html +
         "</tbody></table></div></details>\n<p class=\"faint\">Of the answers given with 80 % confidence, 80 % should be "
         "right: then the bars "
         "end on the dashed line. The error is the mean distance to it, each bar weighted by its answers (Guo et al., "
         "2017).</p></div></div>\n";
}

}  // namespace vitrail::report
