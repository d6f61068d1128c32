#include "data/sets/list_rows.h"

#include <algorithm>
#include <optional>
#include <set>

#include "base/json.h"
#include "base/text.h"
#include "data/sets/csv.h"

namespace vitrail {
namespace {

constexpr int64_t kLargestLabel = 1'000'000'000;

const std::set<std::string> kPathNames = {"path", "file", "file_name", "filename", "image", "image_path"};
const std::set<std::string> kLabelNames = {"label", "class", "category"};
const std::set<std::string> kSeveralNames = {"labels", "classes", "categories", "tags"};
const std::set<std::string> kSplitNames = {"split", "set", "part", "subset"};
constexpr const char* kSeparators = ";|";

// The column that has one of these names; a second one would leave open which counts.
std::optional<size_t> column(const CsvRow& header, const std::set<std::string>& names, const std::string& list) {
  std::optional<size_t> found;
  for (size_t i = 0; i < header.cells.size(); ++i) {
    if (!names.contains(lower(trimmed(header.cells[i])))) continue;
    if (found)
      refuse_line(
          list, header.line,
          cat("two columns say the same: they are ", quote(header.cells[*found]), " and ", quote(header.cells[i]), "."));
    found = i;
  }
  return found;
}

void add_label(std::vector<std::string>& labels, const std::string& label) {
  if (!label.empty() && std::find(labels.begin(), labels.end(), label) == labels.end()) labels.push_back(label);
}

// "cat; dog" -> cat, dog
std::vector<std::string> separated(const std::string& text) {
  std::vector<std::string> labels;
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find_first_of(kSeparators, at), text.size());
    add_label(labels, trimmed(text.substr(at, end - at)));
    at = end + 1;
  }
  return labels;
}

bool has_separator(const std::string& text) { return text.find_first_of(kSeparators) != std::string::npos; }

// Whether the texts of a label column are several labels each; then each is taken apart.
void take_apart(ListRows& result, LabelsPerPicture form, bool named_so) {
  if (form == LabelsPerPicture::kOne) return;
  const bool separators =
      std::any_of(result.rows.begin(), result.rows.end(), [](const ListRow& row) { return has_separator(row.labels.front()); });
  if (form == LabelsPerPicture::kByContent && !named_so && !separators) return;
  result.multi_label = true;
  if (form == LabelsPerPicture::kByContent) result.told_by = separators ? "labels between ; and |" : "the name of the column";
  for (ListRow& row : result.rows) row.labels = separated(row.labels.front());
}

// A column per class, which holds 0 or 1.
struct ClassColumns {
  std::vector<size_t> places;
  std::vector<std::string> names;
};

ClassColumns class_columns(const std::vector<CsvRow>& table, size_t path, std::optional<size_t> split,
                           const std::string& list) {
  ClassColumns columns;
  const CsvRow& header = table.front();
  for (size_t i = 0; i < header.cells.size(); ++i) {
    if (i == path || i == split) continue;
    const std::string name = trimmed(header.cells[i]);
    if (name.empty()) refuse_line(list, header.line, cat("column ", i + 1, " has no name, and would be a class."));
    if (std::find(columns.names.begin(), columns.names.end(), name) != columns.names.end())
      refuse_line(list, header.line, cat("two columns have the name ", quote(name), "."));
    columns.places.push_back(i), columns.names.push_back(name);
  }
  return columns;
}

bool is_flag(const std::string& cell) { return trimmed(cell) == "0" || trimmed(cell) == "1"; }

ListRows rows_of_columns(const std::vector<CsvRow>& table, size_t path, std::optional<size_t> split, const std::string& list) {
  const ClassColumns columns = class_columns(table, path, split, list);
  ListRows result;
  result.multi_label = true, result.told_by = "a column of 0 and 1 for each class";
  for (size_t r = 1; r < table.size(); ++r) {
    const auto& cells = table[r].cells;
    ListRow row{table[r].line, cells[path], split ? cells[*split] : "", {}};
    for (size_t c = 0; c < columns.places.size(); ++c) {
      const std::string& cell = cells[columns.places[c]];
      if (!is_flag(cell))
        refuse_line(list, row.line,
                    cat("without a column label every other column is a class and holds 0 or 1: ", quote(columns.names[c]),
                        " is ", quote(cell), "."));
      if (trimmed(cell) == "1") row.labels.push_back(columns.names[c]);
    }
    result.rows.push_back(std::move(row));
  }
  return result;
}

// Whether a table without a label column has one per class: its first row holds 0 and 1 where the labels would be.
bool has_class_columns(const std::vector<CsvRow>& table, std::optional<size_t> path, std::optional<size_t> split) {
  if (!path || table.size() < 2) return false;
  size_t flags = 0;
  for (size_t i = 0; i < table[1].cells.size(); ++i) flags += i != path && i != split && is_flag(table[1].cells[i]);
  return flags > 0;
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

// The labels of an object, if it has a key for them; `array` if they stand in one.
std::optional<std::vector<std::string>> labels_at(JsonObject& object, bool& array, bool& named_so) {
  std::optional<std::vector<std::string>> found;
  for (const auto* names : {&kLabelNames, &kSeveralNames})
    for (const std::string& name : *names) {
      if (!object.has(name) || object.is_null(name)) continue;
      if (found) object.refuse(name, "says what another key of the object says already");
      if (object.json_text(name).starts_with('[')) {
        array = true, found.emplace();
        for (const std::string& label : object.texts_or(name, {})) add_label(*found, trimmed(label));
      } else {
        found = std::vector<std::string>{text_at(object, {name}).value_or("")};
        named_so = named_so || names == &kSeveralNames;
      }
    }
  return found;
}

}  // namespace

[[noreturn]] void refuse_line(const std::string& list, int64_t line, const std::string& rule) {
  fail(ErrorKind::kData, "data", escaped_path(list), " line ", line, ": ", rule);
}

std::string lower(std::string text) {
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return text;
}

std::string trimmed(const std::string& text) {
  const size_t begin = text.find_first_not_of(" \t"), end = text.find_last_not_of(" \t");
  return begin == std::string::npos ? "" : text.substr(begin, end - begin + 1);
}

ListRows csv_list_rows(const std::string& text, const std::string& list, LabelsPerPicture form) {
  const std::vector<CsvRow> table = parse_csv(text, list);
  if (table.empty()) return {};
  const auto path = column(table.front(), kPathNames, list), split = column(table.front(), kSplitNames, list);
  auto label = column(table.front(), kLabelNames, list);
  const bool named_so = !label && (label = column(table.front(), kSeveralNames, list)).has_value();
  if (!label && form != LabelsPerPicture::kOne && has_class_columns(table, path, split))
    return rows_of_columns(table, *path, split, list);
  if (!path || !label)
    refuse_line(list, table.front().line,
                cat("the first line must name the columns path and label, and perhaps split: it is ",
                    listed(table.front().cells), "."));
  ListRows result;
  for (size_t i = 1; i < table.size(); ++i) {
    const auto& cells = table[i].cells;
    result.rows.push_back({table[i].line, cells[*path], split ? cells[*split] : "", {trimmed(cells[*label])}});
  }
  take_apart(result, form, named_so);
  return result;
}

ListRows json_list_rows(const std::string& text, const std::string& list, LabelsPerPicture form) {
  ListRows result;
  bool any_array = false, named_so = false;
  std::vector<bool> in_array;
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
    bool array = false;
    const auto path = text_at(object, kPathNames), split = text_at(object, kSplitNames);
    const auto labels = labels_at(object, array, named_so);
    if (!path || !labels) refuse_line(list, line, "an object needs \"path\" and \"label\".");
    if (array && form == LabelsPerPicture::kOne) refuse_line(list, line, "one label a picture was asked for: it is an array.");
    any_array = any_array || array;
    in_array.push_back(array);
    result.rows.push_back({line, *path, split.value_or(""), *labels});
  }
  if (!any_array) {
    if (!result.rows.empty()) take_apart(result, form, named_so);
    return result;
  }
  result.multi_label = true;
  if (form == LabelsPerPicture::kByContent) result.told_by = "labels in an array";
  for (size_t i = 0; i < in_array.size(); ++i)
    if (!in_array[i]) result.rows[i].labels = separated(result.rows[i].labels.front());
  return result;
}

}  // namespace vitrail
