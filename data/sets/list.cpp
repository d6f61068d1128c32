#include "data/sets/list.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "base/file.h"
#include "base/text.h"
#include "data/sets/list_rows.h"

namespace vitrail {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMostBytes = int64_t{1} << 28;  // of a list

// The path of a picture, below the folder of the list.
std::string path_below(const std::string& folder, const ListRow& row, const std::string& list) {
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
void check_labels(const ListRows& list, const std::string& name) {
  const ListRow* first = nullptr;
  for (const ListRow& row : list.rows)
    for (const std::string& label : row.labels) {
      if (label.empty()) refuse_line(name, row.line, "the label is empty.");
      if (first == nullptr) first = &row;
      const bool number = is_number(first->labels.front());
      if (is_number(label) == number) continue;
      refuse_line(name, row.line,
                  cat("labels are ", number ? "whole numbers from 0" : "names", ", as in line ", first->line, ": it is ",
                      quote(label), "."));
    }
}

std::vector<PictureFile>& part_of(PictureList& result, const ListRow& row, const std::string& list) {
  const std::string split = lower(trimmed(row.split));
  if (split.empty() || split == "train" || split == "training") return result.train;
  if (split == "val" || split == "valid" || split == "validation") return result.validation;
  if (split == "test" || split == "testing") return result.test;
  refuse_line(list, row.line, cat("split must be train, val or test: it is ", quote(row.split), "."));
}

// Every class of validation and test is known from training; every class has a picture to train on. With several labels a
// picture a class may be missing: it is learnt as never there.
void check_parts(PictureList& result, bool collect, const std::string& list) {
  std::vector<int64_t> counts(result.class_names.size());
  for (const PictureFile& file : result.train) {
    if (!result.multi_label) ++counts[static_cast<size_t>(file.label)];
    for (const int64_t label : file.labels) ++counts[static_cast<size_t>(label)];
  }
  std::vector<std::string> missing;
  for (size_t c = 0; c < counts.size(); ++c)
    if (counts[c] == 0) missing.push_back(result.class_names[c]);
  if (missing.empty()) return;
  const std::string sentence = cat("classes without a picture to train on: ", listed(missing));
  if (result.multi_label)
    result.notes.push_back(sentence);
  else
    refuse(result, collect, cat(escaped_path(list), ": ", sentence, "."));
}

// The classes in natural order, and the number of each label.
std::map<std::string, int64_t> number_classes(const ListRows& list, PictureList& result, const std::string& path) {
  std::vector<std::string> labels;
  for (const ListRow& row : list.rows) labels.insert(labels.end(), row.labels.begin(), row.labels.end());
  check(!labels.empty(), ErrorKind::kData, "data", escaped_path(path), ": no picture of the list has a label.");
  const std::vector<std::string> order = ordered_classes(std::move(labels), result.notes);
  std::map<std::string, int64_t> numbers;
  for (const std::string& label : order) {
    numbers[label] = static_cast<int64_t>(result.class_names.size());
    result.class_names.push_back(class_name_of(label));
  }
  const std::set<std::string> distinct(result.class_names.begin(), result.class_names.end());
  check(distinct.size() == order.size(), ErrorKind::kData, "data", escaped_path(path),
        ": two labels have the same name once bytes that are not UTF-8 are written out.");
  return numbers;
}

PictureFile file_of(const ListRow& row, const std::string& path, bool several, std::map<std::string, int64_t>& numbers) {
  if (!several) return {path, numbers[row.labels.front()], {}};
  PictureFile file{path, -1, {}};
  for (const std::string& label : row.labels) file.labels.push_back(numbers[label]);
  std::sort(file.labels.begin(), file.labels.end());
  return file;
}

std::string joined(const std::vector<std::string>& labels) {
  std::string text;
  for (const std::string& label : labels) text += (text.empty() ? "" : ";") + label;
  return text;
}

// "several labels per picture, told by labels between ; and |: 1.8 on average, 3 pictures without any (--labels one: ...)"
std::string note_of(const ListRows& list) {
  size_t labels = 0;
  int64_t without = 0;
  for (const ListRow& row : list.rows) labels += row.labels.size(), without += row.labels.empty();
  char mean[32];
  std::snprintf(mean, sizeof mean, "%.2f", static_cast<double>(labels) / static_cast<double>(list.rows.size()));
  return cat("any number of labels per picture", list.told_by.empty() ? "" : ", told by " + list.told_by, ": ", mean,
             " on average, ", without, without == 1 ? " picture" : " pictures", " without one",
             list.told_by.starts_with("labels between") ? " (--labels one keeps them whole)" : "");
}

}  // namespace

bool is_list_name(const std::string& name) {
  const std::string ending = lower(fs::path(name).extension().string());
  return ending == ".csv" || ending == ".tsv" || ending == ".jsonl" || ending == ".ndjson";
}

PictureList read_list(const std::string& path, bool collect, LabelsPerPicture form) {
  return parse_list(read_text_file(path, kMostBytes), path, collect, form);
}

PictureList parse_list(const std::string& text, const std::string& path, bool collect, LabelsPerPicture form) {
  const std::string ending = lower(fs::path(path).extension().string());
  const bool json = ending == ".jsonl" || ending == ".ndjson";
  const ListRows list = json ? json_list_rows(text, path, form) : csv_list_rows(text, path, form);
  check(!list.rows.empty(), ErrorKind::kData, "data", escaped_path(path), ": the list names no pictures.");
  check_labels(list, path);

  PictureList result;
  result.name = class_name_of(fs::path(path).stem().string());
  result.multi_label = list.multi_label;
  if (list.multi_label) result.notes.push_back(note_of(list));
  std::map<std::string, int64_t> numbers = number_classes(list, result, path);
  const std::string folder = fs::path(path).parent_path().string();
  std::map<std::string, const ListRow*> seen;
  for (const ListRow& row : list.rows) {
    const std::string file = path_below(folder.empty() ? "." : folder, row, path);
    const PictureFile entry = file_of(row, file, list.multi_label, numbers);
    const auto [first, is_new] = seen.emplace(file, &row);
    const ListRow& before = *first->second;
    const bool same = is_new || file_of(before, file, list.multi_label, numbers).labels == entry.labels;
    if (!is_new && (!same || (!list.multi_label && before.labels != row.labels)))
      refuse_line(path, row.line,
                  cat("a second label for ", quote(row.path, kMaxPath), ": it is ", quote(joined(row.labels)), ", in line ",
                      before.line, " ", quote(joined(before.labels)), "."));
    part_of(result, row, path).push_back(entry);
  }
  check_parts(result, collect, path);
  return result;
}

}  // namespace vitrail
