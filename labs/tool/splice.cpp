#include "labs/tool/splice.h"

#include <sstream>

namespace vitrail::labs {
namespace {

std::string line_directive(size_t line, const std::string& path) {
  return "#line " + std::to_string(line) + " \"" + path + "\"\n";
}

std::string as_literal(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += static_cast<unsigned char>(c) < 32 ? ' ' : c;
    }
  }
  return out + "\"";
}

}  // namespace

std::string spliced(const SourceFile& file, const Bodies& bodies) {
  std::ostringstream out;
  out << line_directive(1, file.path);
  const auto helpers = bodies.find("HELPERS#1");
  const size_t helpers_at = helpers_line(file.lines);
  size_t next = 0;
  const auto copy_up_to = [&](size_t end) {
    for (; next < end; ++next) {
      if (next == helpers_at && helpers != bodies.end()) out << helpers->second << line_directive(next + 1, file.path);
      out << file.lines[next] << "\n";
    }
  };
  for (const Region& r : file.regions) {
    const auto body = bodies.find(r.key());
    if (body == bodies.end()) continue;
    copy_up_to(r.begin + 1);
    out << body->second << line_directive(r.end + 1, file.path);
    next = r.end;
  }
  copy_up_to(file.lines.size());
  return out.str();
}

std::string body_of(const std::string& path, const Lines& lines, const Region& region) {
  return line_directive(region.begin + 2, path) + joined(lines, region.begin + 1, region.end);
}

std::string todo_body(const std::string& path, const Region& region) {
  return line_directive(region.begin + 2, path) + "lab::todo(\"" + region.exercise + "\");\n";
}

std::string broken_body(const std::string& exercise, const std::string& reason) {
  return "lab::broken(\"" + exercise + "\", " + as_literal(reason) + ");\n";
}

}  // namespace vitrail::labs
