#include "labs/tool/source.h"

#include <algorithm>
#include <map>
#include <optional>
#include <sstream>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"

namespace vitrail::labs {
namespace {

constexpr size_t kMinLines = 1, kMaxLines = 39;  // between the marks
const char* const kTodoInclude = "#include \"labs/common/todo.h\"  // lab::todo";

struct Mark {
  std::string exercise, word, task;
};

bool is_exercise(const std::string& word) {
  const size_t dot = word.find('.');
  const auto digits = [](const std::string& text) {
    return !text.empty() && text.size() <= 2 &&
           std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
  };
  return dot != std::string::npos && digits(word.substr(0, dot)) && digits(word.substr(dot + 1));
}

// "// LAB 1.4 BEGIN  task": a mark if it stands alone on its line.
std::optional<Mark> mark_of(const std::string& line) {
  const size_t at = line.find_first_not_of(" \t");
  if (at == std::string::npos || line.compare(at, 7, "// LAB ") != 0) return {};
  std::istringstream words(line.substr(at + 7));
  Mark mark;
  words >> mark.exercise >> mark.word >> std::ws;
  std::getline(words, mark.task);
  if (!is_exercise(mark.exercise) && mark.exercise != "HELPERS") return {};
  if (mark.word != "BEGIN" && mark.word != "END") return {};
  return mark;
}

std::string at_line(size_t line, const std::string& text) { return "line " + std::to_string(line + 1) + ": " + text; }
std::string indent_of(const std::string& line) { return line.substr(0, line.find_first_not_of(" \t")); }

}  // namespace

Lines read_lines(const std::string& path) {
  const std::string text = read_text_file(path, int64_t{4} << 20);
  check(text.find('\0') == std::string::npos, ErrorKind::kData, "labs", escaped_path(path), " is no text: it holds a NUL byte");
  Lines lines;
  std::istringstream in(text.rfind("\xEF\xBB\xBF", 0) == 0 ? text.substr(3) : text);
  for (std::string line; std::getline(in, line);) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    lines.push_back(line);
  }
  return lines;
}

std::string joined(const Lines& lines, size_t begin, size_t end) {
  std::string text;
  for (size_t i = begin; i < end && i < lines.size(); ++i) text += lines[i] + "\n";
  return text;
}

int Region::lab() const { return exercise == "HELPERS" ? -1 : std::stoi(exercise); }

Marked regions_of(const Lines& lines) {
  Marked found;
  std::optional<Region> open;
  std::map<std::string, int> count;
  const auto complain = [&](size_t line, const std::string& text) {
    if (found.problem.empty()) found.problem = at_line(line, text);
  };
  for (size_t i = 0; i < lines.size(); ++i) {
    const std::optional<Mark> mark = mark_of(lines[i]);
    if (!mark) continue;
    if (mark->word == "BEGIN") {
      if (open)
        complain(i, "LAB " + mark->exercise + " begins inside LAB " + open->exercise + ". Put the line LAB " + open->exercise +
                        " END back.");
      open = Region{mark->exercise, ++count[mark->exercise], mark->task, i, 0};
    } else if (!open || open->exercise != mark->exercise) {
      complain(i, "LAB " + mark->exercise + " ends, but does not begin. Put the line LAB " + mark->exercise + " BEGIN back.");
      open.reset();
    } else {
      open->end = i;
      found.regions.push_back(*open);
      open.reset();
    }
  }
  if (open)
    complain(open->begin,
             "LAB " + open->exercise + " begins, but does not end. Put the line LAB " + open->exercise + " END back.");
  return found;
}

SourceFile read_source(const std::string& path) {
  SourceFile file{path, read_lines(path), {}};
  const Marked marked = regions_of(file.lines);
  check(marked.problem.empty(), ErrorKind::kData, "labs", escaped_path(path), ", ", marked.problem);
  file.regions = marked.regions;
  for (const Region& r : file.regions) {
    const size_t between = r.end - r.begin - 1;
    check(between >= kMinLines && between <= kMaxLines, ErrorKind::kData, "labs", escaped_path(path), ", ",
          at_line(r.begin, "LAB " + r.exercise + " has " + std::to_string(between) + " lines, a region has 1 to 39"));
    check(!r.task.empty(), ErrorKind::kData, "labs", escaped_path(path), ", ",
          at_line(r.begin, "LAB " + r.exercise + " BEGIN does not say what to write"));
  }
  return file;
}

bool chosen(const std::set<std::string>& which, const std::string& exercise) {
  return which.count(exercise) > 0 || which.count(exercise.substr(0, exercise.find('.'))) > 0;
}

size_t helpers_line(const Lines& lines) {
  size_t last = 0;
  for (size_t i = 0; i < lines.size(); ++i) {
    if (lines[i].rfind("#include", 0) == 0) last = i + 1;
  }
  return last;
}

namespace {

std::string with_blanks(const SourceFile& file, const std::set<std::string>& which, bool for_student) {
  std::ostringstream out;
  if (for_student) out << kTodoInclude << "\n";
  const size_t helpers = helpers_line(file.lines);
  size_t next = 0;
  const auto copy_up_to = [&](size_t end) {
    for (; next < end; ++next) {
      if (for_student && next == helpers) {
        out << "\n// LAB HELPERS BEGIN  your own functions and #include <...> of the standard library\n// LAB HELPERS END\n";
      }
      out << file.lines[next] << "\n";
    }
  };
  for (const Region& r : file.regions) {
    if (!chosen(which, r.exercise)) continue;
    copy_up_to(r.begin + 1);
    out << indent_of(file.lines[r.begin]) << "lab::todo(\"" << r.exercise << "\");\n";
    next = r.end;
  }
  copy_up_to(file.lines.size());
  return out.str();
}

}  // namespace

std::string student_copy(const SourceFile& file, const std::set<std::string>& which) { return with_blanks(file, which, true); }
std::string blank_copy(const SourceFile& file, const std::set<std::string>& which) { return with_blanks(file, which, false); }

}  // namespace vitrail::labs
