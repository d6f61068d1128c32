// Every broken or hostile answer costs its own exercise and nothing else: the others pass, the table says why, and no process
// and no file is left behind. Runs in the root of the tree, started by make labs-test.
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <set>
#include <sstream>

#include "base/error.h"
#include "base/file.h"
#include "labs/tests/hostile_cases.h"
#include "labs/tool/process.h"
#include "labs/tool/run_lab.h"

using namespace vitrail;
using namespace vitrail::labs;

namespace {

namespace fs = std::filesystem;

const char* const kMine = "mine-hostile";

int failures = 0;
void expect(bool rule, const HostileCase& c, const std::string& what) {
  if (rule) return;
  ++failures;
  std::cout << "  FAILED  " << c.name << ": " << what << "\n";
}

// A student's folder in which everything is solved: the framework's own files, which hold the marks.
void write_solved(const Lab& lab) {
  fs::remove_all(kMine);
  for (const SourceFile& file : sources_of(lab)) {
    const size_t at = helpers_line(file.lines);
    const std::string text =
        joined(file.lines, 0, at) + "// LAB HELPERS BEGIN\n// LAB HELPERS END\n" + joined(file.lines, at, file.lines.size());
    fs::create_directories(fs::path(std::string(kMine) + "/" + file.path).parent_path());
    write_file_atomically(std::string(kMine) + "/" + file.path, text);
  }
}

std::string without(const Lines& lines, const std::string& mark) {
  std::string text;
  for (const std::string& line : lines) {
    if (line.find(mark) == std::string::npos) text += line + "\n";
  }
  return text;
}

void change_whole(const std::string& path, const std::string& how) {
  const Lines lines = read_lines(path);
  std::string text = joined(lines, 0, lines.size());
  if (how == "moved") return fs::copy(path, path + ".before.cpp");
  fs::remove(path);
  if (how == "missing") return;
  if (how == "directory") return void(fs::create_directory(path));
  if (how == "empty") text.clear();
  if (how == "binary")
    text = std::string(
               "\x7f"
               "ELF\0\0\1",
               7) +
           text;
  if (how == "bom") text = "\xEF\xBB\xBF" + text;
  if (how == "no begin") text = without(lines, "LAB 1.1 BEGIN");
  if (how == "no end") text = without(lines, "LAB 1.1 END");
  if (how == "outside") text += "int outside() { return 1; }\n";
  if (how == "crlf") {
    text.clear();
    for (const std::string& line : lines) text += line + "\r\n";
  }
  std::ofstream(path, std::ios::binary) << text;
}

void prepare(const Lab& lab, const HostileCase& c) {
  write_solved(lab);
  const std::string path = std::string(kMine) + "/tensor/shape.cpp";
  if (!c.whole.empty()) return change_whole(path, c.whole);
  const Lines lines = read_lines(path);
  std::string text;
  for (size_t i = 0; i < lines.size(); ++i) {
    text += lines[i] + "\n";
    if (lines[i].find("LAB HELPERS BEGIN") != std::string::npos) text += c.helpers;
    if (lines[i].find("LAB 1.1 BEGIN") == std::string::npos || c.body.empty()) continue;
    text += c.body;
    while (lines[i + 1].find("LAB 1.1 END") == std::string::npos) ++i;
  }
  write_file_atomically(path, text);
}

// The files of the tree and of /tmp, without the folders in which the tool works.
std::set<std::string> all_files() {
  std::set<std::string> files;
  for (const auto& entry : fs::directory_iterator("/tmp")) files.insert(entry.path().string());
  for (auto it = fs::recursive_directory_iterator("."); it != fs::recursive_directory_iterator(); ++it) {
    const std::string path = it->path().string();
    if (path == "./build" || path == "./.git" || path == std::string("./") + kMine) it.disable_recursion_pending();
    files.insert(path);
  }
  return files;
}

int children() {
  std::ifstream in("/proc/self/task/" + std::to_string(getpid()) + "/children");
  int count = 0;
  for (std::string pid; in >> pid;) ++count;
  return count;
}

void try_case(const Toolchain& tools, const Lab& lab, const HostileCase& c) {
  prepare(lab, c);
  const std::vector<SourceFile> files = sources_of(lab);
  const std::map<std::string, Expected> checks = recorded_checks(lab);
  const Answers answers = read_answers(lab, files, kMine, {});
  const Built built = build(tools, lab, files, answers.bodies, test_objects(tools, lab));
  std::string notes;
  for (const std::string& note : answers.notes) notes += note + "\n";
  if (built.broken.count("HELPERS")) notes += "LAB HELPERS does not compile\n";
  for (const Exercise& e : lab.exercises) {
    // What needs the broken exercise may fail with it; whoever takes the others from the reference sees them pass (make grade).
    const bool needs_it = std::count(e.needs.begin(), e.needs.end(), c.exercise) > 0;
    const Verdict v = judge(tools, lab, e, built, answers, {}, checks.at(e.id));
    const bool fails = e.id == c.exercise || std::count(c.also_fail.begin(), c.also_fail.end(), e.id) > 0;
    if (!needs_it) expect(v.outcome.passed == !fails, c, e.id + (fails ? " passed" : " failed: " + v.message));
    if (e.id == c.exercise) expect(v.message.find(c.says) != std::string::npos, c, "the message is: " + v.message);
  }
  if (c.exercise.empty()) expect(notes.find(c.says) != std::string::npos, c, "the notes are: " + notes);
  expect(children() == 0, c, "a process is left");
}

// Whether the kernel lets confine() work: a confined process must not be able to write.
bool is_confined() {
  const std::string file = std::string(kMine) + "/written";
  Limits limits;
  limits.confined = true;
  run({"sh", "-c", "echo x > " + file}, limits);
  return !fs::exists(file);
}

// A confined process is in a group of its own, however fast it is: else nobody could end what sleeps.
bool has_own_group() {
  Limits limits;
  limits.confined = true;
  int alone = 0;
  constexpr int kRounds = 100;
  for (int i = 0; i < kRounds; ++i) {
    std::istringstream stat(run({"cat", "/proc/self/stat"}, limits).output);
    std::string pid, name, state, parent, group;
    stat >> pid >> name >> state >> parent >> group;
    alone += !pid.empty() && pid == group;
  }
  if (alone < kRounds)
    std::printf("  FAILED  %d of %d confined processes have no group of their own\n", kRounds - alone, kRounds);
  return alone == kRounds;
}

// Standard output of run_lab() with four exercises judged at once.
std::string table_of(const Toolchain& tools, const Lab& lab) {
  const std::string path = std::string(kMine) + "/table.txt";
  RunLabOptions options;
  options.mine = kMine;
  options.jobs = 4;
  options.keep_progress = false;
  std::fflush(stdout);
  const int kept = dup(STDOUT_FILENO), file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  dup2(file, STDOUT_FILENO);
  run_lab(tools, lab, options);
  std::cout.flush();
  std::fflush(stdout);
  dup2(kept, STDOUT_FILENO);
  close(file), close(kept);
  return read_text_file(path);
}

// Whoever is judged first, the rows stand in the lab's order, each once.
bool has_rows_in_order(const Toolchain& tools, const Lab& lab) {
  constexpr int kRounds = 5;
  write_solved(lab);
  std::string expected;
  for (const Exercise& e : lab.exercises) expected += e.id + " ";
  for (int i = 0; i < kRounds; ++i) {
    std::string rows;
    std::istringstream table(table_of(tools, lab));
    for (std::string line; std::getline(table, line);) {
      const std::string first = line.substr(0, line.find(' ', 2));
      for (const Exercise& e : lab.exercises) rows += first == "  " + e.id ? e.id + " " : "";
    }
    if (rows == expected) continue;
    std::printf("  FAILED  the rows of the table are %snot %s\n", rows.c_str(), expected.c_str());
    return false;
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  adopt_orphans();
  const std::string only = argc > 1 ? argv[1] : "";
  try {
    const Toolchain tools = toolchain();
    const Lab lab = load_lab("labs/lab1");
    fs::create_directory(kMine);
    const std::set<std::string> before = all_files();
    const bool confined = is_confined();
    if (!has_own_group()) ++failures;
    if (!has_rows_in_order(tools, lab)) ++failures;
    int count = 0, skipped = 0;
    for (const HostileCase& c : hostile_cases()) {
      if (!only.empty() && c.name.find(only) == std::string::npos) continue;
      if (!confined && needs_confinement(c)) {
        ++skipped;
        continue;
      }
      ++count;
      try_case(tools, lab, c);
      const std::set<std::string> after = all_files();
      for (const std::string& path : after)
        expect(before.count(path) > 0 || path.rfind("/tmp/", 0) == 0, c, path + " is left behind");
      expect(!fs::exists("/tmp/left-behind"), c, "/tmp/left-behind is left behind");
      for (const std::string& path : before) expect(after.count(path) > 0 || path.rfind("/tmp/", 0) == 0, c, path + " is gone");
    }
    fs::remove_all(kMine);
    if (skipped > 0) std::printf("%d skipped: this kernel has no seccomp, nothing would hold them back\n", skipped);
    std::printf("%d hostile answers, %d failed\n", count, failures);
  } catch (const Error& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
  return failures > 0 ? 1 : 0;
}
