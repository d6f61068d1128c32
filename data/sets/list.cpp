#include "data/sets/list.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <set>

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "data/sets/csv.h"

namespace vitrail {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMostBytes = int64_t{1} << 28;  // of a list
constexpr int64_t kLargestLabel = 1'000'000'000;

const std::set<std::string> kPathNames = {"path", "file", "file_name", "filename", "image", "image_path"};
const std::set<std::string> kLabelNames = {"label", "class", "category"};
const std::set<std::string> kSplitNames = {"split", "set", "part", "subset"};

struct Row {
  int64_t line = 0;
  std::string path, label, split;
};

std::string lower(std::string text) {
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return text;
}

std::string trimmed(const std::string& text) {
  const size_t begin = text.find_first_not_of(" \t"), end = text.find_last_not_of(" \t");
  return begin == std::string::npos ? "" : text.substr(begin, end - begin + 1);
}

[[noreturn]] void refuse_line(const std::string& list, int64_t line, const std::string& rule) {
  fail(ErrorKind::kData, "data", escaped_path(list), " line ", line, ": ", rule);
}

// The column that has one of these names; a second one would leave open which counts.
std::optional<size_t> column(const CsvRow& header, const std::set<std::string>& names, const std::string& list) {
  std::optional<size_t> found;
  for (size_t i = 0; i < header.cells.size(); ++i) {
    if (!names.contains(lower(trimmed(header.cells[i])))) continue;
    if (found)
      refuse_line(list, header.line,
                  cat("two columns say the same: they are ", quote(header.cells[*found]), " and ", quote(header.cells[i]), "."));
    found = i;
  }
  return found;
}

std::vector<Row> csv_rows(const std::string& text, const std::string& list) {
  const std::vector<CsvRow> table = parse_csv(text, list);
  if (table.empty()) return {};
  const auto path = column(table.front(), kPathNames, list), label = column(table.front(), kLabelNames, list);
  const auto split = column(table.front(), kSplitNames, list);
  if (!path || !label)
    refuse_line(list, table.front().line,
                cat("the first line must name the columns path and label, and perhaps split: it is ",
                    listed(table.front().cells), "."));
  std::vector<Row> rows;
  for (size_t i = 1; i < table.size(); ++i) {
    const auto& cells = table[i].cells;
    rows.push_back({table[i].line, cells[*path], trimmed(cells[*label]), split ? cells[*split] : ""});
  }
  return rows;
}

// The text of the one of these keys that the object has; a whole number as its digits.
std::optional<std::string> text_at(JsonObject& object, const std::set<std::string>& names) {
  std::optional<std::string> found;
  for (const std::string& name : names) {
    if (!object.has(name) || object.is_null(name)) continue;
    if (found) object.refuse(name, "says what another key of the object says already");
    const std::string json = object.json_text(name);
    found = json.starts_with('"') ? object.text(name) : std::to_string(object.integer(name, 0, kLargestLabel));
  }
  return found;
}

std::vector<Row> json_rows(const std::string& text, const std::string& list) {
  std::vector<Row> rows;
  int64_t line = 0;
  for (size_t at = text.starts_with("\xef\xbb\xbf") ? 3 : 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    std::string content = text.substr(at, end - at);
    at = end + 1, ++line;
    if (content.ends_with('\r')) content.pop_back();
    if (trimmed(content).empty()) continue;
    const std::string where = cat(escaped_path(list), " line ", line);
    const JsonDocument document(content, where);
    JsonObject object(document.root(), where, "", ErrorKind::kData);
    const auto path = text_at(object, kPathNames), label = text_at(object, kLabelNames), split = text_at(object, kSplitNames);
    if (!path || !label) refuse_line(list, line, "an object needs \"path\" and \"label\".");
    rows.push_back({line, *path, *label, split.value_or("")});
  }
  return rows;
}

// The path of a picture, below the folder of the list.
std::string path_below(const std::string& folder, const Row& row, const std::string& list) {
  if (row.path.empty()) refuse_line(list, row.line, "the path is empty.");
  const fs::path relative = fs::path(row.path).lexically_normal();
  const bool leaves = relative.is_absolute() || relative.begin()->string() == "..";
  if (leaves || row.path.find('\0') != std::string::npos)
    refuse_line(list, row.line, cat("a path must stay below the folder of the list: it is ", quote(row.path, kMaxPath), "."));
  return (fs::path(folder) / relative).string();
}

bool is_number(const std::string& label) {
  return !label.empty() && label.size() <= 9 && label.find_first_not_of("0123456789") == std::string::npos;
}

// Labels are all names, or all whole numbers: a stray number among names, or the other way round, is a slip.
void check_labels(const std::vector<Row>& rows, const std::string& list) {
  for (const Row& row : rows) {
    if (row.label.empty()) refuse_line(list, row.line, "the label is empty.");
    if (is_number(row.label) == is_number(rows.front().label)) continue;
    refuse_line(list, row.line,
                cat("labels are ", is_number(row.label) ? "names" : "whole numbers from 0", ", as in line ", rows.front().line,
                    ": it is ", quote(row.label), "."));
  }
}

std::vector<PictureFile>& part_of(PictureList& result, const Row& row, const std::string& list) {
  const std::string split = lower(trimmed(row.split));
  if (split.empty() || split == "train" || split == "training") return result.train;
  if (split == "val" || split == "valid" || split == "validation") return result.validation;
  if (split == "test" || split == "testing") return result.test;
  refuse_line(list, row.line, cat("split must be train, val or test: it is ", quote(row.split), "."));
}

// Every class of validation and test is known from training; every class has a picture to train on.
void check_parts(PictureList& result, bool collect, const std::string& list) {
  std::vector<int64_t> counts(result.class_names.size());
  for (const PictureFile& file : result.train) ++counts[static_cast<size_t>(file.label)];
  std::vector<std::string> missing;
  for (size_t c = 0; c < counts.size(); ++c)
    if (counts[c] == 0) missing.push_back(result.class_names[c]);
  if (!missing.empty())
    refuse(result, collect, cat(escaped_path(list), ": classes without a picture to train on: ", listed(missing), "."));
}

}  // namespace

bool is_list_name(const std::string& name) {
  const std::string ending = lower(fs::path(name).extension().string());
  return ending == ".csv" || ending == ".tsv" || ending == ".jsonl" || ending == ".ndjson";
}

PictureList read_list(const std::string& path, bool collect) {
  return parse_list(read_text_file(path, kMostBytes), path, collect);
}

PictureList parse_list(const std::string& text, const std::string& path, bool collect) {
  const std::string ending = lower(fs::path(path).extension().string());
  const bool json = ending == ".jsonl" || ending == ".ndjson";
  const std::vector<Row> rows = json ? json_rows(text, path) : csv_rows(text, path);
  check(!rows.empty(), ErrorKind::kData, "data", escaped_path(path), ": the list names no pictures.");
  check_labels(rows, path);

  PictureList result;
  result.name = class_name_of(fs::path(path).stem().string());
  std::vector<std::string> labels;
  for (const Row& row : rows) labels.push_back(row.label);
  const std::vector<std::string> order = ordered_classes(std::move(labels), result.notes);
  std::map<std::string, int64_t> numbers;
  for (const std::string& label : order) {
    numbers[label] = static_cast<int64_t>(result.class_names.size());
    result.class_names.push_back(class_name_of(label));
  }
  const std::set<std::string> distinct(result.class_names.begin(), result.class_names.end());
  check(distinct.size() == order.size(), ErrorKind::kData, "data", escaped_path(path),
        ": two labels have the same name once bytes that are not UTF-8 are written out.");
  const std::string folder = fs::path(path).parent_path().string();
  std::map<std::string, const Row*> seen;
  for (const Row& row : rows) {
    const std::string file = path_below(folder.empty() ? "." : folder, row, path);
    const auto [first, is_new] = seen.emplace(file, &row);
    if (!is_new && first->second->label != row.label)
      refuse_line(path, row.line,
                  cat("a second label for ", quote(row.path, kMaxPath), ": it is ", quote(row.label), ", in line ",
                      first->second->line, " ", quote(first->second->label), "."));
    part_of(result, row, path).push_back({file, numbers[row.label]});
  }
  check_parts(result, collect, path);
  return result;
}

}  // namespace vitrail
