// The picture of `vitrail bench`: one strip for the whole step, and a row per op with its forward and backward time.
#include <algorithm>
#include <cstdarg>
#include <cstdio>

#include "base/svg.h"
#include "cli/bench_report.h"

namespace vitrail::cli {

namespace {

constexpr int kWidth = 960, kLeft = 190, kBar = 430, kRowHeight = 30, kTop = 196;
// Colour-blind safe: blue, orange, grey.
constexpr const char* kColours[] = {"#3b78b5", "#e08a2e", "#8b93a0"};

__attribute__((format(printf, 2, 3))) void append(std::string& svg, const char* pattern, ...) {
  char buffer[1024];
  va_list arguments;
  va_start(arguments, pattern);
  std::vsnprintf(buffer, sizeof buffer, pattern, arguments);
  va_end(arguments);
  svg += buffer;
}

// The three passes of one op, in ms per step.
struct OpRow {
  std::string name;
  double ms[3] = {0, 0, 0};
  double flops = 0, bytes = 0;
  double total() const { return ms[0] + ms[1] + ms[2]; }
};

// The largest ops; the rest in one row.
std::vector<OpRow> op_rows(const BenchResult& r, size_t most) {
  std::vector<OpRow> rows;
  const double steps = static_cast<double>(r.steps());
  for (const ProfileEntry& e : r.breakdown) {
    auto row = std::find_if(rows.begin(), rows.end(), [&](const OpRow& o) { return o.name == e.name; });
    if (row == rows.end()) row = rows.insert(row, {e.name});
    row->ms[static_cast<int>(e.pass)] += 1e3 * e.seconds / steps;
    row->flops += static_cast<double>(e.flops) / steps;
    row->bytes += static_cast<double>(e.bytes) / steps;
  }
  std::stable_sort(rows.begin(), rows.end(), [](const OpRow& a, const OpRow& b) { return a.total() > b.total(); });
  if (rows.size() <= most) return rows;
  OpRow rest{std::to_string(rows.size() - most + 1) + " smaller ones"};
  for (size_t i = most - 1; i < rows.size(); ++i) {
    for (int pass = 0; pass < 3; ++pass) rest.ms[pass] += rows[i].ms[pass];
    rest.flops += rows[i].flops, rest.bytes += rows[i].bytes;
  }
  rows.resize(most - 1);
  rows.push_back(rest);
  return rows;
}

void draw_header(std::string& svg, const BenchResult& r) {
  append(svg, "<text x=\"24\" y=\"38\" class=\"title\">%s: %s, batch %lld, %s</text>\n", escape_xml(r.model).c_str(),
         r.mode == "train" ? "one training step" : "inference", static_cast<long long>(r.batch_size), r.precision.c_str());
  append(
      svg,
      "<text x=\"24\" y=\"62\" class=\"soft\">%.1f ms a step (median of %lld), %.1f images/s, %.0f GFLOP/s of a peak of %.0f, "
      "%lld threads, tensors at most %.0f MiB</text>\n",
      1e3 * r.median_seconds(), static_cast<long long>(r.steps()), r.images_per_second(), r.gflops_per_second(), r.peak_gflops,
      static_cast<long long>(r.threads), static_cast<double>(r.peak_tensor_bytes) / (1 << 20));
  const char* names[] = {"forward", "backward", "no op"};
  for (int i = 0; i < 3; ++i) {
    append(svg,
           "<rect x=\"%d\" y=\"164\" width=\"12\" height=\"12\" rx=\"2\" fill=\"%s\"/><text x=\"%d\" y=\"174\">%s</text>\n",
           kLeft + 100 * i, kColours[i], kLeft + 100 * i + 18, names[i]);
  }
  append(
      svg,
      "<text x=\"%d\" y=\"174\" class=\"soft right\">ms</text><text x=\"%d\" y=\"174\" class=\"soft right\">share</text>"
      "<text x=\"%d\" y=\"174\" class=\"soft right\">GFLOP/s</text><text x=\"%d\" y=\"174\" class=\"soft right\">GB/s</text>\n",
      kLeft + kBar + 70, kLeft + kBar + 135, kLeft + kBar + 215, kLeft + kBar + 285);
}

// The whole step as one strip: forward, backward, the rest; in each the longest op first.
void draw_strip(std::string& svg, const BenchResult& r) {
  const double whole = 1e-9 + r.mean_seconds() * static_cast<double>(r.steps()), width = kWidth - 48;
  double x = 24;
  for (int pass = 0; pass < 3; ++pass) {
    for (const ProfileEntry& e : sorted_breakdown(r)) {
      if (static_cast<int>(e.pass) != pass) continue;
      const double w = e.seconds / whole * width;
      append(svg,
             "<rect x=\"%.2f\" y=\"82\" width=\"%.2f\" height=\"40\" fill=\"%s\" stroke=\"#fff\" stroke-width=\"0.8\">"
             "<title>%s, %s: %.2f ms</title></rect>\n",
             x, w, kColours[pass], escape_xml(e.name).c_str(), name_of(e.pass),
             1e3 * e.seconds / static_cast<double>(r.steps()));
      if (w > 8.0 * static_cast<double>(e.name.size())) {
        append(svg, "<text x=\"%.2f\" y=\"107\" class=\"inside\">%s</text>\n", x + w / 2, escape_xml(e.name).c_str());
      }
      x += w;
    }
  }
  const ProductShare p = product_share(r);
  append(
      svg,
      "<text x=\"24\" y=\"144\" class=\"soft\">ops with matrix products: %.1f %% of the step at %.0f GFLOP/s = %.0f %% of the "
      "peak; everything else %.1f %%</text>\n",
      100 * p.share, p.gflops, 100 * ratio(p.gflops, r.peak_gflops), 100 * (1 - p.share));
}

void draw_row(std::string& svg, const OpRow& row, int y, double longest, double whole) {
  append(svg, "<text x=\"%d\" y=\"%d\" class=\"right\">%s</text>\n", kLeft - 12, y + 19, escape_xml(row.name).c_str());
  double x = kLeft;
  for (int pass = 0; pass < 3; ++pass) {
    const double w = kBar * ratio(row.ms[pass], longest);
    if (w > 0) {
      append(svg, "<rect x=\"%.2f\" y=\"%d\" width=\"%.2f\" height=\"20\" fill=\"%s\"/>\n", x, y + 5, w, kColours[pass]);
    }
    x += w;
  }
  const auto number = [&](int right, double value, const char* unit, int digits) {
    if (value > 0) {
      append(svg, "<text x=\"%d\" y=\"%d\" class=\"right\">%.*f%s</text>\n", kLeft + kBar + right, y + 19, digits, value, unit);
    }
  };
  number(70, row.total(), "", 2);
  number(135, 100 * ratio(row.total(), whole), " %", 1);
  number(215, ratio(row.flops, row.total()) / 1e6, "", 0);
  number(285, ratio(row.bytes, row.total()) / 1e6, "", 1);
}

}  // namespace

std::string to_svg(const BenchResult& r) {
  const std::vector<OpRow> rows = op_rows(r, 14);
  const double longest = rows.empty() ? 0 : std::max_element(rows.begin(), rows.end(), [](const OpRow& a, const OpRow& b) {
                                              return a.total() < b.total();
                                            })->total();
  const int height = kTop + kRowHeight * static_cast<int>(rows.size()) + 24;
  std::string svg = svg_start(kWidth, height,
                              "text{font:13px sans-serif;fill:#1d2430}.title{font-size:20px;font-weight:600}.soft{fill:#5b6472}"
                              ".right{text-anchor:end}.inside{fill:#fff;text-anchor:middle;font-size:12px}");
  draw_header(svg, r);
  draw_strip(svg, r);
  for (size_t i = 0; i < rows.size(); ++i) {
    const int y = kTop + kRowHeight * static_cast<int>(i);
    if (i % 2 == 0)
      append(svg, "<rect x=\"24\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"#f5f6f8\"/>\n", y, kWidth - 48, kRowHeight);
    draw_row(svg, rows[i], y, longest, 1e3 * r.mean_seconds());
  }
  return svg + "</svg>\n";
}

}  // namespace vitrail::cli
