#include "labs/tool/export.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <sstream>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "labs/tool/catalog.h"
#include "labs/tool/process.h"

namespace vitrail::labs {
namespace {

namespace fs = std::filesystem;

constexpr size_t kTellingBytes = 12;  // a shorter line tells nothing: }, else {
constexpr size_t kQuotedBytes = 24;   // of a line that is searched in the middle of others

std::vector<std::string> tracked_files() {
  const Ran ran = run({"git", "ls-files"});
  check(ran.status == 0, ErrorKind::kValue, "labs", "git ls-files failed: ", ran.output.substr(0, 100),
        ". Hint: an exported tree cannot be exported again.");
  std::vector<std::string> files;
  std::istringstream in(ran.output);
  for (std::string path; std::getline(in, path);) {
    if (fs::is_regular_file(path)) files.push_back(path);
  }
  return files;
}

bool is_kept(const std::string& path) {
  return !path.ends_with("/mistakes.txt") && path.rfind("labs/tests/", 0) != 0 && path.rfind(".ci/", 0) != 0 &&
         path.rfind("labs/AGENTS.md", 0) != 0;
}

// What a line says: without spaces and without a comment.
std::string squeezed(const std::string& line) {
  const size_t comment = line.find("//");
  std::string out;
  for (const char c : line.substr(0, comment)) {
    if (c != ' ' && c != '\t' && c != '\r') out += c;
  }
  return out;
}

bool is_source(const std::string& path) {
  return path.ends_with(".cpp") || path.ends_with(".h") || path.ends_with(".md") || path.ends_with(".json") ||
         path.ends_with(".txt") || path.ends_with(".sh") || path.ends_with(".py");
}

// Code of the framework and its tests. What a lab or a document says is no excuse for a line of a solution.
bool is_framework(const std::string& path) {
  return (path.ends_with(".cpp") || path.ends_with(".h")) && path.rfind("labs/", 0) != 0 && path.rfind("docs/", 0) != 0;
}

// Blank regions of one file.
std::vector<const Region*> blanks_of(const SourceFile& file, int solved) {
  std::vector<const Region*> regions;
  for (const Region& r : file.regions) {
    if (r.lab() > solved) regions.push_back(&r);
  }
  return regions;
}

struct Secrets {
  std::map<std::string, std::string> lines, pairs;  // squeezed text -> the exercise it is of
};

// The lines of blank regions, less all that the framework's code says elsewhere, too.
Secrets secrets_of(const std::vector<std::string>& files, int solved) {
  Secrets secrets;
  std::set<std::string> elsewhere, elsewhere_pairs;
  const auto walk = [](const Lines& lines, size_t begin, size_t end, auto&& line, auto&& pair) {
    std::string before;
    for (size_t i = begin; i < end; ++i) {
      const std::string text = squeezed(lines[i]);
      if (text.empty()) continue;
      line(text);
      if (!before.empty()) pair(before + "\n" + text);
      before = text;
    }
  };
  for (const std::string& path : files) {
    if (!is_kept(path) || (!is_framework(path) && !path.ends_with(".cpp"))) continue;
    const Lines lines = read_lines(path);
    std::vector<Region> blank;
    if (path.ends_with(".cpp")) {
      for (const Region& r : regions_of(lines).regions) {
        if (r.lab() > solved) blank.push_back(r);
      }
    }
    size_t next = 0;
    const auto tell_elsewhere = [&](size_t end) {
      if (!is_framework(path)) return;
      walk(
          lines, next, end, [&](const std::string& t) { elsewhere.insert(t); },
          [&](const std::string& t) { elsewhere_pairs.insert(t); });
    };
    for (const Region& r : blank) {
      tell_elsewhere(r.begin);
      const std::string where = r.exercise + " (" + path + ")";
      walk(
          lines, r.begin + 1, r.end, [&](const std::string& t) { secrets.lines.emplace(t, where); },
          [&](const std::string& t) { secrets.pairs.emplace(t, where); });
      next = r.end;
    }
    tell_elsewhere(lines.size());
  }
  std::erase_if(secrets.lines,
                [&](const auto& entry) { return entry.first.size() < kTellingBytes || elsewhere.count(entry.first) > 0; });
  std::erase_if(secrets.pairs, [&](const auto& entry) {
    return entry.first.size() < kTellingBytes || elsewhere_pairs.count(entry.first) > 0;
  });
  return secrets;
}

// A document may quote code in the middle of a line: "" or the place of a secret line in it.
std::string quoted_line(const Lines& lines, const std::string& path, const Secrets& secrets) {
  if (path.ends_with(".cpp") || path.ends_with(".h")) return "";
  for (size_t i = 0; i < lines.size(); ++i) {
    const std::string text = squeezed(lines[i]);
    for (const auto& [secret, where] : secrets.lines) {
      if (secret.size() >= kQuotedBytes && text.size() > secret.size() && text.find(secret) != std::string::npos)
        return path + ":" + std::to_string(i + 1) + " quotes a line of " + where;
    }
  }
  return "";
}

}  // namespace

std::vector<std::string> leaks(const std::string& tree, int solved) {
  const Secrets secrets = secrets_of(tracked_files(), solved);
  std::vector<std::string> found;
  for (const auto& entry : fs::recursive_directory_iterator(tree)) {
    if (!entry.is_regular_file() || !is_source(entry.path().string())) continue;
    const Lines lines = read_lines(entry.path().string());
    if (const std::string hidden = quoted_line(lines, entry.path().string(), secrets); !hidden.empty()) found.push_back(hidden);
    std::string before;
    for (size_t i = 0; i < lines.size(); ++i) {
      const std::string text = squeezed(lines[i]);
      if (text.empty()) continue;
      const auto line = secrets.lines.find(text);
      const auto pair = secrets.pairs.find(before + "\n" + text);
      const std::string place = entry.path().string() + ":" + std::to_string(i + 1);
      if (line != secrets.lines.end()) found.push_back(place + " holds a line of " + line->second);
      if (pair != secrets.pairs.end()) found.push_back(place + " holds two lines of " + pair->second);
      before = text;
    }
  }
  return found;
}

void export_tree(const std::string& out, int solved) {
  check(!fs::exists(out) || fs::is_empty(out), ErrorKind::kValue, "labs", escaped_path(out), " is there already and not empty");
  size_t copied = 0, regions = 0;
  std::string blank_files;
  for (const std::string& path : tracked_files()) {
    if (!is_kept(path)) continue;
    const fs::path to = fs::path(out) / path;
    fs::create_directories(to.parent_path());
    ++copied;
    const bool source = path.ends_with(".cpp") && !regions_of(read_lines(path)).regions.empty();
    const SourceFile file = source ? read_source(path) : SourceFile{};
    std::set<std::string> blank;
    for (const Region* r : blanks_of(file, solved)) blank.insert(r->exercise), ++regions;
    if (blank.empty()) {
      fs::copy_file(path, to);
      continue;
    }
    write_file_atomically(to.string(), blank_copy(file, blank));
    if (path.rfind("labs/", 0) != 0) blank_files += path + "\n";
  }
  write_file_atomically((fs::path(out) / "labs/blank.txt").string(), blank_files);
  if (fs::exists("labs/AGENTS.md")) fs::copy_file("labs/AGENTS.md", fs::path(out) / "AGENTS.md");
  const std::vector<std::string> found = leaks(out, solved);
  for (const std::string& leak : found) std::cout << "  " << leak << "\n";
  if (!found.empty()) fs::remove_all(out);
  check(found.empty(), ErrorKind::kData, "labs", "the exported tree still holds ", found.size(), " lines of solutions");
  std::cout << "  " << out << ": " << copied << " files, " << regions << " regions blank\n";
}

}  // namespace vitrail::labs
