// The rows of a list of pictures (data/sets/list.h), before files and classes are made of them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/sets/source.h"

namespace vitrail {

struct ListRow {
  int64_t line = 0;
  std::string path, split;
  std::vector<std::string> labels;  // one, or of a multi-label list any number without repetition
};

struct ListRows {
  std::vector<ListRow> rows;
  bool multi_label = false;
  std::string told_by;  // what said so: "labels between ; and |"; "": it was asked for
};

// Error(kData) naming the line, as read_list() describes.
ListRows csv_list_rows(const std::string& text, const std::string& list, LabelsPerPicture form);
ListRows json_list_rows(const std::string& text, const std::string& list, LabelsPerPicture form);

[[noreturn]] void refuse_line(const std::string& list, int64_t line, const std::string& rule);
// ASCII letters as small ones; without blanks and tabs around.
std::string lower(std::string text);
std::string trimmed(const std::string& text);

}  // namespace vitrail
