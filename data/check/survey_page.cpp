// The page of a survey: what the table says, and the pictures that it speaks of.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "base/html.h"
#include "base/text.h"
#include "data/check/survey.h"
#include "data/image/image.h"
#include "tensor/machine/parallel.h"
#include "tensor/ops/resize.h"

namespace vitrail {
namespace {

constexpr int64_t kSide = 96;          // of a sample: its longer side
constexpr int64_t kSamples = 8;        // of a class, from each part together
constexpr int64_t kMostClasses = 200;  // that get samples
constexpr size_t kMostGroups = 24, kMostInGroup = 6, kMostListed = 200;

// A picture small enough for the page. Small ones stay as they are.
Tensor thumbnail(const Tensor& image) {
  const int64_t height = image.size(1), width = image.size(2), longer = std::max(height, width);
  if (longer <= kSide) return image;
  const auto shrunk = [&](int64_t side) { return std::max<int64_t>(1, side * kSide / longer); };
  const Tensor small = resize(to(image, Dtype::f32), shrunk(height), shrunk(width),
                              {.mode = Interpolation::kBilinear, .align_corners = false, .antialias = true});
  Tensor bytes = empty(small.shape(), Dtype::u8, "page");
  uint8_t* out = bytes.mutable_data<uint8_t>();
  for (int64_t i = 0; i < small.numel(); ++i)
    out[i] = static_cast<uint8_t>(std::clamp(std::lround(small.data<float>()[i]), 0L, 255L));
  return bytes;
}

// The pictures of the page, made in parallel before it is written.
class Figures {
 public:
  Figures(const Survey& survey, const DatasetSource& source) : survey_(survey) {
    for (const Split part : survey.parts) parts_.push_back(source.open(part));
  }
  void make(std::vector<int64_t> numbers) {
    std::vector<std::string> uris(numbers.size());
    parallel_for(static_cast<int64_t>(numbers.size()), 1, [&](int64_t from, int64_t to) {
      for (int64_t i = from; i < to; ++i) {
        const SurveyedPicture& p = survey_.pictures[static_cast<size_t>(numbers[i])];
        uris[i] = png_data_uri(encode_png(thumbnail(parts_[p.part]->sample(p.index).image)));
      }
    });
    for (size_t i = 0; i < numbers.size(); ++i) uris_[numbers[i]] = std::move(uris[i]);
  }
  std::string html(int64_t number, bool with_name) const {
    const SurveyedPicture& p = survey_.pictures[static_cast<size_t>(number)];
    const auto found = uris_.find(number);
    if (found == uris_.end()) return "";
    const std::string name = html_escaped(p.name);
    std::string caption;
    if (with_name)
      caption = "<figcaption>" + std::string(name_of(survey_.parts[p.part])) + ", " + html_escaped(names(p.labels)) + "<br>" +
                name + "</figcaption>";
    const bool tiny = std::max(p.facts.height, p.facts.width) < kSide / 2;
    return "<figure><img src=\"" + found->second + "\" alt=\"" + name + "\" title=\"" + name + "\"" +
           (tiny ? " width=\"64\"" : "") + ">" + caption + "</figure>";
  }

 private:
  std::string names(const std::vector<int64_t>& labels) const {
    std::string text;
    for (const int64_t c : labels) text += (text.empty() ? "" : ", ") + survey_.class_names[static_cast<size_t>(c)];
    return text.empty() ? "none" : text;
  }

  const Survey& survey_;
  std::vector<DatasetPtr> parts_;
  std::map<int64_t, std::string> uris_;
};

// Of each class up to kSamples pictures, evenly spread over all that can be read.
std::vector<std::vector<int64_t>> samples_of(const Survey& s) {
  std::vector<std::vector<int64_t>> members(s.class_names.size()), samples(s.class_names.size());
  for (size_t i = 0; i < s.pictures.size(); ++i)
    for (const int64_t c : s.pictures[i].labels)
      if (s.pictures[i].error.empty()) members[static_cast<size_t>(c)].push_back(static_cast<int64_t>(i));
  for (size_t c = 0; c < members.size() && c < kMostClasses; ++c) {
    const auto size = static_cast<int64_t>(members[c].size()), count = std::min(kSamples, size);
    for (int64_t i = 0; i < count; ++i) samples[c].push_back(members[c][static_cast<size_t>(i * size / count)]);
  }
  return samples;
}

std::string number_cell(int64_t value) { return cat("<td class=\"n\">", value, "</td>"); }

std::string class_table(const Survey& s) {
  std::string html = "<div class=\"wide\"><table><tr><th>class</th>";
  for (const Split part : s.parts) html += cat("<th class=\"n\">", name_of(part), "</th>");
  html += "<th></th></tr>\n";
  int64_t most = 1;
  for (const auto& counts : s.counts) most = std::max(most, *std::max_element(counts.begin(), counts.end()));
  for (size_t c = 0; c < s.class_names.size(); ++c) {
    html += "<tr><td>" + html_escaped(s.class_names[c]) + "</td>";
    for (const auto& counts : s.counts) html += number_cell(counts[c]);
    html += cat("<td><div class=\"bar\" style=\"width:", s.counts[0][c] * 200 / most, "px\"></div></td></tr>\n");
  }
  return html + "</table></div>\n";
}

std::string size_table(const Survey& s) {
  std::vector<std::pair<int64_t, std::pair<int64_t, int64_t>>> sizes;
  for (const auto& size : s.sizes) sizes.push_back({size.second, size.first});
  std::stable_sort(sizes.begin(), sizes.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  std::string html =
      "<table><tr><th class=\"n\">width</th><th class=\"n\">height</th><th class=\"n\">pictures</th><th></th></tr>\n";
  for (size_t i = 0; i < sizes.size() && i < 20; ++i)
    html += "<tr>" + number_cell(sizes[i].second.first) + number_cell(sizes[i].second.second) + number_cell(sizes[i].first) +
            cat("<td><div class=\"bar\" style=\"width:", sizes[i].first * 200 / sizes.front().first, "px\"></div></td></tr>\n");
  html += "</table>\n";
  if (sizes.size() > 20) html += cat("<p class=\"faint\">and ", sizes.size() - 20, " more sizes</p>\n");
  return html + cat("<p>", s.landscape, " landscape, ", s.portrait, " portrait, ", s.square, " square; ", s.colour,
                    " in colour, ", s.grey, " grey, ", s.grey_in_colour, " grey stored in colour.</p>\n");
}

std::string statistics_line(const Survey& s) {
  std::string text = "<p>Mean and standard deviation of the training pixels in [0, 1]:";
  for (size_t c = 0; c < s.statistics.mean.size(); ++c) {
    char part[64];
    std::snprintf(part, sizeof part, " %.4f &plusmn; %.4f%s", s.statistics.mean[c], s.statistics.std[c],
                  c + 1 < s.statistics.mean.size() ? ";" : "");
    text += part;
  }
  return text + "</p>\n";
}

std::string bad_list(const Survey& s) {
  if (s.bad.empty()) return "";
  std::string html = cat("<h2>Pictures that cannot be read (", s.bad.size(), ")</h2>\n<ul>\n");
  for (size_t i = 0; i < s.bad.size() && i < kMostListed; ++i)
    html += "<li>" + html_escaped(s.pictures[static_cast<size_t>(s.bad[i])].error) + "</li>\n";
  return html + "</ul>\n";
}

// The groups that the page shows: those across parts or labels first.
std::vector<const DuplicateGroup*> shown_groups(const std::vector<DuplicateGroup>& groups) {
  std::vector<const DuplicateGroup*> shown;
  for (const DuplicateGroup& group : groups) shown.push_back(&group);
  const auto weight = [](const DuplicateGroup* g) { return (g->across_parts ? 2 : 0) + (g->across_labels ? 1 : 0); };
  std::stable_sort(shown.begin(), shown.end(), [&](const auto* a, const auto* b) { return weight(a) > weight(b); });
  shown.resize(std::min(shown.size(), kMostGroups));
  return shown;
}

std::vector<int64_t> first_of(const DuplicateGroup& group) {
  return {group.pictures.begin(),
          group.pictures.begin() + static_cast<std::ptrdiff_t>(std::min(group.pictures.size(), kMostInGroup))};
}

std::string group_section(const char* title, const std::vector<DuplicateGroup>& groups, const Figures& figures) {
  if (groups.empty()) return "";
  std::string html = cat("<h2>", title, " (", groups.size(), groups.size() == 1 ? " group" : " groups", ")</h2>\n");
  for (const DuplicateGroup* group : shown_groups(groups)) {
    html += "<div class=\"group\">";
    if (group->across_parts) html += "<p class=\"bad\">in more than one part</p>";
    if (group->across_labels) html += "<p class=\"bad\">different labels</p>";
    for (const int64_t number : first_of(*group)) html += figures.html(number, true);
    html += "</div>\n";
  }
  return html;
}

}  // namespace

std::string survey_page(const Survey& s, const DatasetSource& source) {
  const std::vector<std::vector<int64_t>> samples = samples_of(s);
  std::vector<int64_t> wanted;
  for (const auto& members : samples) wanted.insert(wanted.end(), members.begin(), members.end());
  for (const auto* groups : {&s.equal, &s.alike})
    for (const DuplicateGroup* group : shown_groups(*groups))
      for (const int64_t number : first_of(*group)) wanted.push_back(number);
  std::sort(wanted.begin(), wanted.end());
  wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
  Figures figures(s, source);
  figures.make(std::move(wanted));

  std::string body = "<h1>" + html_escaped(s.name) + "</h1>\n";
  body += cat("<p>", s.pictures.size(), " pictures, ", s.class_names.size(), " classes.</p>\n<ul>\n");
  for (const Finding& finding : findings_of(s))
    body += cat("<li", finding.error ? " class=\"bad\"" : "", ">", html_escaped(finding.text), "</li>\n");
  body += "</ul>\n<h2>Classes</h2>\n" + class_table(s) + "<h2>Sizes</h2>\n" + size_table(s) + statistics_line(s) + bad_list(s);
  body += group_section("Equal pictures", s.equal, figures) + group_section("Pictures that look the same", s.alike, figures);
  body += "<h2>Samples</h2>\n";
  for (size_t c = 0; c < samples.size(); ++c) {
    if (samples[c].empty()) continue;
    body += "<h3>" + html_escaped(s.class_names[c]) + "</h3>\n<div>";
    for (const int64_t number : samples[c]) body += figures.html(number, false);
    body += "</div>\n";
  }
  return html_page(
      "data-check: " + s.name, body,
      ".bar { height: .8rem; background: var(--accent); } .group { border-top: 1px solid var(--line); padding-top: .5rem; }\n");
}

}  // namespace vitrail
