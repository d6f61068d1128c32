#include "models/explain/page.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numeric>

#include "base/html.h"
#include "base/json_writer.h"
#include "models/explain/page_charts.h"
#include "models/explain/page_look.h"
#include "models/explain/structure.h"

namespace vitrail::models::explain {
namespace {

constexpr int64_t kLongerSide = 288;  // of the pictures of a page
constexpr int64_t kMostFitted = 400;  // of the model's input on the page
constexpr int64_t kMostPositions = 1024;

Tensor reduced(const Tensor& picture, int64_t most) {
  const int64_t h = picture.size(1), w = picture.size(2), longer = std::max(h, w);
  if (longer <= most) return picture;
  const auto scaled = [&](int64_t side) { return std::max<int64_t>(1, side * most / longer); };
  return resample(picture, scaled(h), scaled(w), Resample::kBilinear);
}

std::string image(const Tensor& picture, const std::string& alt) {
  return "<img alt=\"" + html_escaped(alt) + "\" src=\"" + png_data_uri(encode_png(picture)) + "\">";
}

std::string fixed(double value, int digits) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}
std::string percent(double part) { return fixed(100 * part, 1) + " %"; }

std::string answers(const Explanation& e, const PageContent& content) {
  std::vector<int64_t> order(e.probabilities.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return e.probabilities[a] > e.probabilities[b]; });
  std::string line;
  for (size_t i = 0; i < order.size() && i < 3; ++i) {
    const std::string name = html_escaped(content.class_names.at(static_cast<size_t>(order[i])));
    line += (i == 0 ? "<b>" + name + "</b> " : ", " + name + " ") + percent(e.probabilities[static_cast<size_t>(order[i])]);
  }
  const auto target = static_cast<size_t>(e.record.target);
  return "<p class=\"answer\">" + line + "</p>\n<p>Explained: " + html_escaped(content.class_names.at(target)) + " (" +
         percent(e.probabilities[target]) + ")</p>\n";
}

std::string maps(const Explanation& e, const PageContent& content) {
  const Tensor small = reduced(content.picture, kLongerSide);
  std::string html = "<h2>Where the answer comes from</h2>\n<div class=\"maps\"><figure>" + image(small, "the picture") +
                     "<figcaption><b>the picture</b></figcaption></figure>\n";
  for (const ExplainedMap& map : e.maps)
    html += "<figure>" + image(overlay(small, map.map, content.seen), cat("map of ", name_of(map.method))) + "<figcaption><b>" +
            name_of(map.method) + "</b>: " + describe(map.method) + "</figcaption></figure>\n";
  return html +
         "</div>\n<p class=\"faint\">least <span class=\"scale\"></span> most; each map is stretched to its own range. Without "
         "colour: "
         "what the model does not see.</p>\n";
}

std::string number_cell(const std::string& value) { return "<td class=\"n\">" + value + "</td>"; }

std::string range(const std::vector<double>& areas) {
  const auto [low, high] = std::minmax_element(areas.begin(), areas.end());
  return fixed(*low, 3) + " to " + fixed(*high, 3);
}

std::string scores(const Explanation& e) {
  if (!e.random) return "";
  std::string html =
      "<h2>Does the map mean anything?</h2>\n<p>Patches are taken away (deletion) or put into a blurred picture (insertion), "
      "the most "
      "important first. If the map is right, the probability of the class falls, or rises, sooner than with patches in random "
      "order.</p>\n<div class=\"wide\"><table><tr><th>map</th><th class=\"n\">deletion (small is good)</th><th "
      "class=\"n\">insertion "
      "(large is good)</th><th></th></tr>\n";
  std::vector<CurveSeries> deletion, insertion;
  for (size_t i = 0; i < e.maps.size(); ++i) {
    const ExplainedMap& map = e.maps[i];
    const std::string name = name_of(map.method);
    html += "<tr><td>" + name + "</td>" + number_cell(fixed(map.scores->deletion.area, 3)) +
            number_cell(fixed(map.scores->insertion.area, 3)) + "<td>" + verdict(*map.scores, *e.random) + "</td></tr>\n";
    deletion.push_back({name, cat("s", i), &map.scores->deletion});
    insertion.push_back({name, cat("s", i), &map.scores->insertion});
  }
  html += cat("<tr><td>random, ", e.random->deletion_areas.size(), " orders</td>") +
          number_cell(range(e.random->deletion_areas)) + number_cell(range(e.random->insertion_areas)) +
          "<td></td></tr>\n</table></div>\n";
  deletion.push_back({"random", "s3 dashed", &e.random->mean.deletion});
  insertion.push_back({"random", "s3 dashed", &e.random->mean.insertion});
  return html + "<div class=\"charts\">" + curve_chart("probability in % as patches are taken away", deletion) +
         curve_chart("probability in % as patches are put back", insertion) + "</div>\n";
}

std::string facts(const Encoder& encoder, const PageSelection& selection) {
  JsonWriter json;
  std::vector<int64_t> numbers;
  for (const int64_t layer : selection.layers) numbers.push_back(layer + 1);
  json.begin_object().field("layers", numbers).field("heads", selection.heads ? encoder.heads() : 1);
  json.field("averaged", !selection.heads && encoder.heads() > 1).field("tokens", encoder.tokens());
  json.field("prefix", encoder.prefix_names).field("grid", std::vector<int64_t>{encoder.grid.h, encoder.grid.w});
  json.key("palette").begin_array();
  for (const Colour& colour : heat_points()) json.value(std::vector<double>(colour.begin(), colour.end()));
  json.end_array().end_object();
  return "<script type=\"application/json\" id=\"facts\">" + json.text() + "</script>\n";
}

std::string attention(const Encoder& encoder, const Explanation& e, const PageContent& content) {
  const PageSelection selection = select_for_page(e.record.attention.shape(), content.layers);
  std::string html = "<h2>What each patch attends to</h2>\n";
  if (!selection.note.empty()) html += "<p class=\"faint\">" + html_escaped(selection.note) + "</p>\n";
  html += facts(encoder, selection);
  if (selection.layers.empty()) return html;
  html +=
      "<noscript><p>This part needs JavaScript, which is switched off.</p></noscript>\n<p>Point at a patch, or tap one; arrow "
      "keys move. "
      "The small maps are the layers from top to bottom and their heads from left to right: tap one to see it on the "
      "picture.</p>\n<div class=\"attend\"><div><div class=\"stage\" id=\"stage\" tabindex=\"0\" role=\"application\" "
      "aria-label=\"the "
      "picture as the model sees it, by patches\">" +
      image(reduced(content.fitted, kMostFitted), "what the model sees") +
      "<canvas id=\"over\"></canvas><div id=\"query\"></div></div>\n<div class=\"controls\"><select id=\"layer\" "
      "aria-label=\"layer\"></select><select id=\"head\" aria-label=\"head\"></select><span id=\"tokens\"></span></div>\n"
      "<p id=\"says\" role=\"status\"></p></div>\n<div><canvas id=\"heads\" role=\"img\" aria-label=\"attention of the chosen "
      "patch in "
      "every layer and head\"></canvas></div></div>\n<script type=\"text/plain\" id=\"attention\">";
  return html + encode_attention(e.record.attention, selection) + "</script>\n";
}

std::string structure(const Encoder& encoder, const Explanation& e) {
  std::string html = "<h2>What the model has learnt</h2>\n<h3>Attention distance</h3>\n<div class=\"charts\">" +
                     distance_chart(e.distances, even_distance(encoder.grid, encoder.image)) + "</div>\n";
  if (encoder.positions.defined() && encoder.positions.size(0) <= kMostPositions && encoder.positions.size(0) > 1)
    html +=
        "<h3>Position embeddings</h3>\n<div class=\"small\">" +
        image(similarity_picture(position_similarity(encoder.positions), encoder.positions_grid), "similarity of positions") +
        "</div>\n<p class=\"faint\">Each small map is a patch: how similar its position is to that of every other, by the "
        "cosine from -1 <span class=\"scale\"></span> to 1.</p>\n";
  if (encoder.filters.defined()) {
    const FilterPicture filters = filter_picture(encoder.filters);
    html += "<h3>Patch filters</h3>\n<div class=\"small\">" + image(filters.picture, "filters") +
            cat("</div>\n<p class=\"faint\">The first ", filters.count,
                " principal components of the first layer's filters: ", percent(filters.share), " of their variance.</p>\n");
  }
  return html;
}

// An image of few pixels is enlarged by whole numbers, to about as many pixels as the others.
std::string enlarged_style(const Encoder& encoder) {
  const int64_t side = std::max<int64_t>(1, encoder.filters.defined() ? encoder.filters.size(3) : 1);
  return cat(".small img[alt=filters] { width: ", 7 * (std::max<int64_t>(1, 48 / side) * side + 1), "px; }\n",
             ".small img[alt^=similarity] { width: 26rem; }\n");
}

}  // namespace

std::string explanation_page(const Encoder& encoder, const Explanation& e, const PageContent& content) {
  std::string body = "<header><h1>" + html_escaped(content.title) + "</h1>\n<p class=\"faint\">" + html_escaped(content.model) +
                     cat(": ", encoder.blocks.size(), " layers, ", encoder.heads(), " heads, ", encoder.grid.h, " x ",
                         encoder.grid.w, " patches</p></header>\n<main>\n");
  body +=
      answers(e, content) + maps(e, content) + scores(e) + attention(encoder, e, content) + structure(encoder, e) + "</main>\n";
  return html_page("explain: " + content.title, body, kPageStyle + enlarged_style(encoder), kPageScript);
}

}  // namespace vitrail::models::explain
