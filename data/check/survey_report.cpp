// The findings of a survey in words, and as a table for people and an object for programs.
#include <algorithm>
#include <cstdio>

#include "base/json_writer.h"
#include "base/text.h"
#include "data/check/survey.h"

namespace vitrail {
namespace {

constexpr double kUneven = 10;  // the largest class over the smallest, from which on it is worth a word

std::string with_digits(double value, int digits) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

std::string names_of(const Survey& s, const std::vector<int64_t>& numbers) {
  std::vector<std::string> names;
  for (const int64_t number : numbers) names.push_back(escaped_path(s.pictures[static_cast<size_t>(number)].name));
  return listed(names, 3, kMaxPath);
}

template <class Rule>
int64_t count_groups(const std::vector<DuplicateGroup>& groups, Rule rule) {
  return std::count_if(groups.begin(), groups.end(), rule);
}

void add_groups(const Survey& s, const std::vector<DuplicateGroup>& groups, const char* what, std::vector<Finding>& findings) {
  const auto add = [&](auto rule, const char* sentence) {
    const int64_t count = count_groups(groups, rule);
    const auto first = std::find_if(groups.begin(), groups.end(), rule);
    if (count > 0)
      findings.push_back({false, cat(count, " group", count == 1 ? "" : "s", " of ", what, " ", sentence, ", first ",
                                     names_of(s, first->pictures))});
  };
  add([](const DuplicateGroup& g) { return g.across_parts; }, "are in more than one part: the test will be too good");
  add([](const DuplicateGroup& g) { return g.across_labels; }, "have different labels");
  add([](const DuplicateGroup& g) { return !g.across_parts && !g.across_labels; }, "are in one part");
}

void add_class_findings(const Survey& s, std::vector<Finding>& findings) {
  for (size_t part = 0; part < s.parts.size(); ++part) {
    const auto with_pictures = std::count_if(s.counts[part].begin(), s.counts[part].end(), [](int64_t n) { return n > 0; });
    if (with_pictures == 1 && s.readable() > 1 && !s.multi_label)
      findings.push_back(
          {false, cat("all pictures of ", name_of(s.parts[part]), " have one label: there is nothing to tell apart")});
    for (size_t c = 0; c < s.class_names.size(); ++c)
      if (s.counts[part][c] == 0)
        findings.push_back({part == 0 && !s.multi_label,
                            cat("no picture of class ", quote(s.class_names[c]), " in ", name_of(s.parts[part]))});
  }
  if (s.imbalance() >= kUneven)
    findings.push_back(
        {false, cat("the largest class has ", with_digits(s.imbalance(), 1), " times as many pictures as the smallest")});
}

// Sizes by how many pictures have them, the most frequent first.
std::vector<std::pair<std::pair<int64_t, int64_t>, int64_t>> by_count(const Survey& s) {
  std::vector<std::pair<std::pair<int64_t, int64_t>, int64_t>> sizes(s.sizes.begin(), s.sizes.end());
  std::stable_sort(sizes.begin(), sizes.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  return sizes;
}

std::string table_of_classes(const Survey& s) {
  size_t widest = 5;
  std::vector<std::string> names;
  for (const std::string& name : s.class_names) {
    names.push_back(escaped(name, 40));
    widest = std::max(widest, names.back().size());
  }
  const auto row = [&](const std::string& first, auto cell) {
    std::string line = first + std::string(widest + 2 - std::min(widest + 2, first.size()), ' ');
    for (size_t part = 0; part < s.parts.size(); ++part) {
      const std::string text = cell(part);
      line += std::string(10 - std::min<size_t>(10, text.size()), ' ') + text;
    }
    return line + "\n";
  };
  std::string table = row("class", [&](size_t part) { return std::string(name_of(s.parts[part])); });
  for (size_t c = 0; c < names.size(); ++c)
    table += row(names[c], [&](size_t part) { return std::to_string(s.counts[part][c]); });
  return table + row("all", [&](size_t part) {
           int64_t sum = 0;
           for (const int64_t count : s.counts[part]) sum += count;
           return std::to_string(sum);
         });
}

void write_groups(JsonWriter& json, const Survey& s, const std::vector<DuplicateGroup>& groups) {
  json.begin_array();
  for (const DuplicateGroup& group : groups) {
    std::vector<std::string> names;
    for (const int64_t number : group.pictures) names.push_back(s.pictures[static_cast<size_t>(number)].name);
    json.begin_object().field("pictures", names).field("across_parts", group.across_parts);
    json.field("across_labels", group.across_labels).end_object();
  }
  json.end_array();
}

}  // namespace

std::vector<Finding> findings_of(const Survey& s) {
  std::vector<Finding> findings;
  for (const std::string& problem : s.problems) findings.push_back({true, problem});
  if (!s.bad.empty())
    findings.push_back(
        {true, cat(s.bad.size(), s.bad.size() == 1 ? " picture" : " pictures", " cannot be read: ", names_of(s, s.bad))});
  add_class_findings(s, findings);
  add_groups(s, s.equal, "equal pictures", findings);
  add_groups(s, s.alike, "pictures that look the same", findings);
  if (!s.one_colour.empty())
    findings.push_back({false, cat(s.one_colour.size(), s.one_colour.size() == 1 ? " picture is" : " pictures are",
                                   " of one colour: ", names_of(s, s.one_colour))});
  if (s.grey_in_colour > 0 && s.colour == 0)
    findings.push_back(
        {false, cat("all pictures are grey, ", s.grey_in_colour, " of them stored in colour: grey files would train faster")});
  for (const std::string& note : s.notes) findings.push_back({false, note});
  return findings;
}

std::string survey_text(const Survey& s) {
  std::string text =
      cat("data set ", escaped(s.name), ": ", s.pictures.size(), " pictures, ", s.class_names.size(), " classes\n\n");
  text += table_of_classes(s) + "\n";
  text += cat("largest class / smallest   ", with_digits(s.imbalance(), 2), "\n");
  const auto sizes = by_count(s);
  text += "sizes                      ";
  for (size_t i = 0; i < sizes.size() && i < 4; ++i)
    text += cat(i == 0 ? "" : ", ", sizes[i].first.first, " x ", sizes[i].first.second, " (", sizes[i].second, ")");
  text += sizes.size() > 4 ? cat(" and ", sizes.size() - 4, " more\n") : "\n";
  text += cat("orientation                ", s.landscape, " landscape, ", s.portrait, " portrait, ", s.square, " square\n");
  text += cat("channels                   ", s.colour, " colour, ", s.grey, " grey, ", s.grey_in_colour,
              " grey stored in colour\n");
  for (size_t c = 0; c < s.statistics.mean.size(); ++c)
    text += cat(c == 0 ? "mean, std of train         " : "; ", with_digits(s.statistics.mean[c], 4), ", ",
                with_digits(s.statistics.std[c], 4));
  text += cat("\nequal, looking the same    ", s.equal.size(), " and ", s.alike.size(), " groups\n");
  for (const int64_t number : s.bad) text += cat("\nbad: ", one_line(s.pictures[static_cast<size_t>(number)].error));
  if (!s.bad.empty()) text += "\n";
  text += "\n";
  for (const Finding& finding : findings_of(s)) text += cat(finding.error ? "error: " : "note: ", one_line(finding.text), "\n");
  return text;
}

std::string survey_json(const Survey& s) {
  JsonWriter json(2);
  json.begin_object().field("kind", "data check").field("name", s.name).field("pictures", s.pictures.size());
  json.field("classes", s.class_names).key("parts").begin_object();
  for (size_t part = 0; part < s.parts.size(); ++part) json.field(name_of(s.parts[part]), s.counts[part]);
  json.end_object().field("imbalance", s.imbalance()).key("sizes").begin_array();
  for (const auto& size : by_count(s))
    json.begin_object()
        .field("width", size.first.first)
        .field("height", size.first.second)
        .field("count", size.second)
        .end_object();
  json.end_array().field("landscape", s.landscape).field("portrait", s.portrait).field("square", s.square);
  json.field("colour", s.colour).field("grey", s.grey).field("grey_in_colour", s.grey_in_colour);
  json.field("mean", s.statistics.mean).field("std", s.statistics.std).key("bad").begin_array();
  for (const int64_t number : s.bad) {
    const SurveyedPicture& p = s.pictures[static_cast<size_t>(number)];
    json.begin_object().field("picture", p.name).field("reason", p.error).end_object();
  }
  json.end_array().key("one_colour").begin_array();
  for (const int64_t number : s.one_colour) json.value(s.pictures[static_cast<size_t>(number)].name);
  json.end_array().key("equal"), write_groups(json, s, s.equal);
  json.key("alike"), write_groups(json, s, s.alike);
  json.key("findings").begin_array();
  for (const Finding& finding : findings_of(s))
    json.begin_object().field("error", finding.error).field("text", finding.text).end_object();
  return json.end_array().end_object().text() + "\n";
}

}  // namespace vitrail
