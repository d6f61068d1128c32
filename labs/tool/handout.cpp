#include "labs/tool/handout.h"

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"

namespace vitrail::labs {
namespace {

namespace fs = std::filesystem;

std::string handout_path(const Lab& lab) { return lab.folder + "/README.md"; }

std::string plural(int number, const std::string& what) {
  return std::to_string(number) + " " + what + (number == 1 ? "" : "s");
}

bool is_word(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; }

// The declarations of a function in a header: from the begin of its line to ';' or '{', on one line each.
std::vector<std::string> declarations(const std::string& header, const std::string& name) {
  const std::string text = read_text_file(header);
  std::vector<std::string> found;
  for (size_t at = 0; (at = text.find(name + "(", at)) != std::string::npos; at += name.size()) {
    const size_t line = text.rfind('\n', at) + 1;
    const std::string before = text.substr(line, at - line);
    const size_t first = before.find_first_not_of(' ');
    const bool starts_word = at == line || !is_word(text[at - 1]);
    if (!starts_word || first == std::string::npos || before.find("//") != std::string::npos ||
        before.find("return") != std::string::npos || before.find('(') != std::string::npos ||
        before.find('=') != std::string::npos)
      continue;
    size_t end = text.find_first_of(";{", at);
    while (end != std::string::npos && text.compare(end, 2, "{}") == 0) end = text.find_first_of(";{", end + 1);  // = {}
    std::string declaration = text.substr(line + first, end - line - first);
    for (size_t gap; (gap = declaration.find('\n')) != std::string::npos;) {
      const size_t next = declaration.find_first_not_of(" \n", gap);
      declaration = declaration.substr(0, gap) + " " + (next == std::string::npos ? "" : declaration.substr(next));
    }
    while (!declaration.empty() && declaration.back() == ' ') declaration.pop_back();
    found.push_back(declaration + ";");
  }
  return found;
}

std::string exercise_part(const Lab& lab, const std::vector<SourceFile>& files, const std::string& id) {
  const Exercise* e = lab.find(id);
  check(e != nullptr, ErrorKind::kData, "labs", handout_path(lab), ": there is no exercise ", quote(id));
  std::string text = "**" + plural(e->points, "point") + ", about " + plural(e->minutes, "minute") + ".**";
  if (!e->needs.empty()) {
    text += " Its tests need ";
    for (size_t i = 0; i < e->needs.size(); ++i) text += (i ? ", " : "") + e->needs[i];
    text += ".";
  }
  text += "\n\n";
  for (const auto& [file, region] : places_of(files, id)) text += "- `mine/" + file->path + "`: " + region->task + "\n";
  std::string code;
  for (const Signature& signature : e->signatures) {
    for (const std::string& name : signature.names) {
      const std::vector<std::string> all = declarations(signature.header, name);
      check(!all.empty(), ErrorKind::kData, "labs", lab.folder, "/lab.json: ", id, ": ", signature.header, " does not declare ",
            quote(name));
      for (const std::string& declaration : all) code += declaration + "  // " + signature.header + "\n";
    }
  }
  return code.empty() ? text : text + "\n```cpp\n" + code + "```\n";
}

std::string table_part(const Lab& lab) {
  std::string text = "| exercise | | points | minutes | needs |\n|---|---|---|---|---|\n";
  int minutes = 0;
  for (const Exercise& e : lab.exercises) {
    std::string needs;
    for (const std::string& need : e.needs) needs += (needs.empty() ? "" : ", ") + need;
    text += "| " + e.id + " | " + e.title + " | " + std::to_string(e.points) + " | " + std::to_string(e.minutes) + " | " +
            needs + " |\n";
    minutes += e.minutes;
  }
  return text + "| | all | " + std::to_string(lab.points()) + " | " + std::to_string(minutes) + " | |\n";
}

std::string questions_part(const Lab& lab) {
  std::string text;
  for (size_t i = 0; i < lab.questions.size(); ++i) text += std::to_string(i + 1) + ". " + lab.questions[i] + "\n";
  return text + "\nThe answers belong into `mine/answers/lab" + std::to_string(lab.number) + ".md`.\n";
}

// "exercise 3.2" of <!-- lab:exercise 3.2 -->; "" if the line is no such mark.
std::string mark_of(const std::string& line) {
  const std::string open = "<!-- lab:", close = " -->";
  if (line.rfind(open, 0) != 0 || !line.ends_with(close)) return "";
  return line.substr(open.size(), line.size() - open.size() - close.size());
}

}  // namespace

std::string refreshed_handout(const Lab& lab) {
  const std::string path = handout_path(lab);
  const Lines lines = read_lines(path);
  const std::vector<SourceFile> files = sources_of(lab);
  std::string text;
  for (size_t i = 0; i < lines.size(); ++i) {
    text += lines[i] + "\n";
    const std::string kind = mark_of(lines[i]);
    if (kind.empty()) continue;
    const size_t begin = i;
    while (++i < lines.size() && mark_of(lines[i]).empty()) {
    }
    check(i < lines.size() && mark_of(lines[i]) == "end", ErrorKind::kData, "labs", path, ", line ", begin + 1,
          ": <!-- lab:", kind, " --> has no <!-- lab:end -->");
    if (kind == "table") {
      text += table_part(lab);
    } else if (kind == "questions") {
      text += questions_part(lab);
    } else if (kind.rfind("exercise ", 0) == 0) {
      text += exercise_part(lab, files, kind.substr(9));
    } else {
      fail(ErrorKind::kData, "labs", path, ", line ", begin + 1, ": lab:", quote(kind),
           " is none of exercise, table, questions");
    }
    text += lines[i] + "\n";
  }
  return text;
}

std::vector<std::string> handout_problems(const Lab& lab) {
  const std::string path = handout_path(lab);
  if (!fs::exists(path)) return {path + " is missing"};
  std::vector<std::string> problems;
  const Lines lines = read_lines(path);
  const std::string text = joined(lines, 0, lines.size());
  if (refreshed_handout(lab) != text) problems.push_back(path + " has stale parts: make labs-handouts");
  for (const Exercise& e : lab.exercises) {
    if (text.find("<!-- lab:exercise " + e.id + " -->\n") == std::string::npos)
      problems.push_back(path + " does not tell of " + e.id);
  }
  for (const char* part : {"table", "questions"}) {
    const bool wanted = std::string(part) == "table" || !lab.questions.empty();
    if (wanted && text.find("<!-- lab:" + std::string(part) + " -->\n") == std::string::npos)
      problems.push_back(path + " has no lab:" + part);
  }
  int pictures = 0;
  for (size_t at = 0; (at = text.find("![", at)) != std::string::npos; ++at) {
    const size_t middle = text.find("](", at), end = text.find(')', at);
    if (middle == std::string::npos || end == std::string::npos || middle > end) continue;
    ++pictures;
    const std::string alt = text.substr(at + 2, middle - at - 2), file = text.substr(middle + 2, end - middle - 2);
    if (alt.size() < 20) problems.push_back(path + ": the picture " + file + " has no text that tells what it shows");
    if (!fs::exists(lab.folder + "/" + file)) problems.push_back(path + ": the picture " + file + " is missing");
  }
  if (pictures == 0) problems.push_back(path + " shows no picture");
  return problems;
}

}  // namespace vitrail::labs
