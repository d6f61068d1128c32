#include "data/sets/csv.h"

#include "base/error.h"
#include "base/text.h"

namespace vitrail {
namespace {

class CsvParser {
 public:
  CsvParser(const std::string& text, const std::string& name) : text_(text), name_(name) {
    if (text_.starts_with("\xef\xbb\xbf")) at_ = 3;
    separator_ = find_separator();
  }

  std::vector<CsvRow> rows() {
    std::vector<CsvRow> rows;
    while (at_ < text_.size()) {
      if (ends_line()) {  // blank
        end_line();
        continue;
      }
      rows.push_back(row());
      const size_t first = rows.front().cells.size(), here = rows.back().cells.size();
      if (here != first) refuse(rows.back().line, cat("it has ", here, " cells, the first line has ", first));
    }
    return rows;
  }

 private:
  [[noreturn]] void refuse(int64_t line, const std::string& rule) const {
    fail(ErrorKind::kData, "csv", escaped_path(name_), " line ", line, ": ", rule, ".");
  }

  char find_separator() const {
    bool quoted = false;
    for (size_t i = at_; i < text_.size() && (quoted || text_[i] != '\n'); ++i) {
      if (text_[i] == '"') quoted = !quoted;
      if (!quoted && (text_[i] == ',' || text_[i] == ';' || text_[i] == '\t')) return text_[i];
    }
    return ',';
  }

  // At the end of the text, at LF, or at CR LF.
  bool ends_line() const {
    return at_ >= text_.size() || text_[at_] == '\n' ||
           (text_[at_] == '\r' && at_ + 1 < text_.size() && text_[at_ + 1] == '\n');
  }
  void end_line() {
    if (at_ < text_.size() && text_[at_] == '\r') ++at_;
    ++at_, ++line_;
  }

  CsvRow row() {
    CsvRow row{line_, {}};
    for (;;) {
      row.cells.push_back(at_ < text_.size() && text_[at_] == '"' ? quoted_cell() : bare_cell());
      if (ends_line()) break;
      ++at_;  // the separator
    }
    end_line();
    return row;
  }

  std::string bare_cell() {
    std::string cell;
    for (; !ends_line() && text_[at_] != separator_; ++at_) {
      if (text_[at_] == '"')
        refuse(line_, "a quote inside of a cell: the whole cell must stand in quotes, and its quotes twice");
      if (text_[at_] == '\0') refuse(line_, "a NUL byte: this is no text");
      cell += text_[at_];
    }
    return cell;
  }

  std::string quoted_cell() {
    const int64_t start = line_;
    std::string cell;
    for (++at_;; ++at_) {
      if (at_ >= text_.size()) refuse(start, "a quote is opened and never closed");
      if (text_[at_] == '\0') refuse(line_, "a NUL byte: this is no text");
      if (text_[at_] == '\n') ++line_;
      if (text_[at_] != '"') {
        cell += text_[at_];
      } else if (at_ + 1 < text_.size() && text_[at_ + 1] == '"') {
        cell += text_[++at_];
      } else {
        break;
      }
    }
    ++at_;
    if (!ends_line() && text_[at_] != separator_) refuse(line_, "text after a closing quote");
    return cell;
  }

  const std::string& text_;
  const std::string& name_;
  size_t at_ = 0;
  int64_t line_ = 1;
  char separator_ = ',';
};

}  // namespace

std::vector<CsvRow> parse_csv(const std::string& text, const std::string& name) { return CsvParser(text, name).rows(); }

}  // namespace vitrail
