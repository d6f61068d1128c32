#include "labs/tool/build.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <sstream>

#include "base/error.h"
#include "base/file.h"
#include "base/number.h"
#include "labs/tool/process.h"

namespace vitrail::labs {
namespace {

namespace fs = std::filesystem;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  check(value != nullptr, ErrorKind::kValue, "labs", name,
        " is not set. Hint: this program is started by make, as in make lab1.");
  return value;
}

std::string replaced(std::string text, const std::string& what, const std::string& by) {
  for (size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += by.size()) text.replace(at, what.size(), by);
  return text;
}
std::string shell_word(const std::string& text) { return "'" + replaced(text, "'", "'\\''") + "'"; }

// For files that get their name when they are whole: several threads may be making the same one.
std::string new_suffix() {
  static std::atomic<int> count{0};
  return std::to_string(getpid()) + "-" + std::to_string(++count);
}

struct Compiled {
  std::string object;  // "" if it failed
  std::string errors;
};

// The object of a source text. Kept under the hash of its content, so that nothing is compiled twice.
Compiled compile(const Toolchain& tools, const std::string& path, const std::string& text) {
  const std::string folder = tools.folder + "/objects/" + hex_of(hash_of(text + tools.compile)),
                    stem = folder + "/" + fs::path(path).stem().string();
  const std::string object = stem + ".o", part = stem + "." + new_suffix() + ".part.o";
  if (fs::exists(object)) return {object, ""};
  fs::create_directories(folder);
  write_file_atomically(stem + ".cpp", text);
  const Ran ran = run({"env", "LC_ALL=C", "sh", "-c",
                       replaced(replaced(tools.compile, "{in}", shell_word(stem + ".cpp")), "{out}", shell_word(part))});
  if (ran.status != 0) {
    fs::remove(part);
    return {"", ran.output};
  }
  fs::rename(part, object);
  return {object, ""};
}

// "mine/tensor/view.cpp:93:7: error: ..." -> path, line, message
struct Diagnostic {
  std::string path, message;
  size_t line = 0;
};
std::vector<Diagnostic> errors_of(const std::string& output) {
  std::vector<Diagnostic> found;
  std::istringstream in(output);
  for (std::string line; std::getline(in, line);) {
    const size_t at = line.find(": error: ") != std::string::npos ? line.find(": error: ") : line.find(": fatal error: ");
    if (at == std::string::npos) continue;
    const size_t first = line.find(':');
    if (first >= at) continue;
    found.push_back({line.substr(0, first), line.substr(line.find("error: ", at) + 7),
                     static_cast<size_t>(std::strtoull(line.c_str() + first + 1, nullptr, 10))});
  }
  return found;
}

// The lines of a file that a body stands for, from its #line directive.
struct Extent {
  std::string key, path;
  size_t first = 0, last = 0;
};
std::vector<Extent> extents_of(const Bodies& bodies) {
  std::vector<Extent> extents;
  for (const auto& [key, text] : bodies) {
    if (text.rfind("#line ", 0) != 0) continue;
    const size_t quote = text.find('"'), end = text.find('\n');
    const size_t first = std::strtoull(text.c_str() + 6, nullptr, 10);
    const size_t lines = static_cast<size_t>(std::count(text.begin(), text.end(), '\n')) - 1;
    extents.push_back({key, text.substr(quote + 1, end - quote - 2), first, first + std::max<size_t>(lines, 1) - 1});
  }
  return extents;
}

std::string exercise_of(const std::string& key) { return key.substr(0, key.find('#')); }

// At most three lines of the compiler's about one region.
std::string brief(const std::vector<Diagnostic>& errors) {
  std::string text;
  for (size_t i = 0; i < errors.size() && i < 3; ++i) {
    text += (i ? "\n" : "") + errors[i].path + ":" + std::to_string(errors[i].line) + ": " + errors[i].message.substr(0, 200);
  }
  return text;
}

// Compiles one file; whatever region is to blame for an error is replaced by its message, until the rest compiles.
class FileBuilder {
 public:
  FileBuilder(const Toolchain& tools, const SourceFile& file, Bodies bodies)
      : tools_(tools), file_(file), bodies_(std::move(bodies)) {}

  std::string run(Built& built) {
    Compiled result = compile(tools_, file_.path, spliced(file_, bodies_));
    for (size_t rounds = 0; result.object.empty() && rounds <= bodies_.size(); ++rounds) {
      if (!blame_by_line(result.errors, built) && !blame_one_by_one(built)) {
        built.failure = file_.path + " does not compile:\n" + brief(errors_of(result.errors)) +
                        (errors_of(result.errors).empty() ? result.errors.substr(0, 600) : "");
        return "";
      }
      result = compile(tools_, file_.path, spliced(file_, bodies_));
    }
    if (result.object.empty()) built.failure = file_.path + " does not compile:\n" + brief(errors_of(result.errors));
    return result.object;
  }

 private:
  void blame(const std::string& key, const std::string& message, Built& built) {
    const std::string exercise = exercise_of(key);
    built.broken.emplace(exercise, message);
    for (auto& [other, body] : bodies_) {  // all regions of the exercise, since they belong together
      if (exercise_of(other) == exercise) body = exercise == "HELPERS" ? "\n" : broken_body(exercise, message);
    }
  }

  // The regions in which the compiler complains.
  bool blame_by_line(const std::string& output, Built& built) {
    const std::vector<Diagnostic> errors = errors_of(output);
    bool found = false;
    for (const Extent& extent : extents_of(bodies_)) {
      std::vector<Diagnostic> its;
      for (const Diagnostic& e : errors) {
        if (e.path == extent.path && e.line >= extent.first && e.line <= extent.last) its.push_back(e);
      }
      if (its.empty()) continue;
      blame(extent.key, brief(its), built);
      found = true;
    }
    return found;
  }

  // Each region alone, the others blank: those that then do not compile.
  bool blame_one_by_one(Built& built) {
    bool found = false;
    for (const Extent& extent : extents_of(bodies_)) {
      Bodies alone;
      for (const auto& [key, text] : bodies_) {
        if (key == extent.key || key == "HELPERS#1") {
          alone[key] = text;
        } else {
          alone[key] = broken_body(exercise_of(key), "left out");
        }
      }
      const Compiled result = compile(tools_, file_.path, spliced(file_, alone));
      if (!result.object.empty()) continue;
      std::string message = brief(errors_of(result.errors));
      if (message.empty()) message = result.errors.substr(0, 200);
      blame(extent.key, message, built);
      found = true;
    }
    return found;
  }

  const Toolchain& tools_;
  const SourceFile& file_;
  Bodies bodies_;
};

}  // namespace

uint64_t hash_of(const std::string& text) {  // FNV-1a
  uint64_t hash = 1469598103934665603u;
  for (const unsigned char c : text) hash = (hash ^ c) * 1099511628211u;
  return hash;
}

std::string hex_of(uint64_t number) {
  std::ostringstream out;
  out << std::hex << number;
  return out.str();
}

Toolchain toolchain() {
  const char *factor = std::getenv("TIME_FACTOR"), *confined = std::getenv("LAB_CONFINED");
  const int64_t times = factor != nullptr && *factor != '\0' ? parse_integer("labs", "TIME_FACTOR", factor, 1, 1000) : 1;
  return {environment("LAB_BUILD"),   environment("LAB_COMPILE"), environment("LAB_LINK"),
          environment("LAB_LIBRARY"), environment("LAB_CONFIG"),  confined == nullptr || std::string(confined) != "no",
          static_cast<int>(times)};
}

std::string build_object(const Toolchain& tools, const SourceFile& file, const Bodies& bodies, Built& built) {
  return FileBuilder(tools, file, bodies).run(built);
}

std::vector<std::string> test_objects(const Toolchain& tools, const Lab& lab) {
  return {tools.folder + "/common/main.o", tools.folder + "/common/lab.o",
          tools.folder + "/" + fs::path(lab.folder).filename().string() + "/tests.o"};
}

FolderLock::FolderLock(const Toolchain& tools) {
  fs::create_directories(tools.folder);
  const std::string path = tools.folder + "/lock";
  fd_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  check(fd_ >= 0, ErrorKind::kIo, "labs", path, ": ", std::strerror(errno));
  if (flock(fd_, LOCK_EX | LOCK_NB) == 0) return;
  std::cout << "  another run of the labs is going on in this folder: waiting for it\n" << std::flush;
  check(flock(fd_, LOCK_EX) == 0, ErrorKind::kIo, "labs", path, ": ", std::strerror(errno));
}

FolderLock::~FolderLock() { close(fd_); }

void forget(const Built& built) {
  std::error_code gone_already;
  if (!built.program.empty()) fs::remove(built.program, gone_already);
}

void forget_old_programs(const Toolchain& tools) {
  constexpr size_t kKept = 12;  // some ten megabytes each
  const std::string folder = tools.folder + "/programs";
  if (!fs::is_directory(folder)) return;
  std::vector<std::pair<fs::file_time_type, fs::path>> programs;
  std::error_code gone_already;
  for (const auto& entry : fs::directory_iterator(folder))
    programs.emplace_back(entry.last_write_time(gone_already), entry.path());
  std::sort(programs.rbegin(), programs.rend());
  for (size_t i = kKept; i < programs.size(); ++i) fs::remove(programs[i].second, gone_already);
}

Built build(const Toolchain& tools, const Lab& lab, const std::vector<SourceFile>& files, FileBodies bodies,
            const std::vector<std::string>& with) {
  Built built;
  std::vector<std::string> objects;
  std::string names;
  for (const SourceFile& file : files) {
    const bool own = file.path.rfind("labs/", 0) == 0;  // not in the library
    if (!own && bodies[file.path].empty()) continue;
    const std::string object = build_object(tools, file, bodies[file.path], built);
    if (object.empty()) return built;
    objects.push_back(object);
  }
  objects.insert(objects.end(), with.begin(), with.end());
  std::string words;
  for (const std::string& object : objects) {
    words += shell_word(object) + " ";
    names +=
        object + " " + (fs::exists(object) ? std::to_string(fs::last_write_time(object).time_since_epoch().count()) : "") + " ";
  }
  names += tools.link + std::to_string(fs::last_write_time(tools.library).time_since_epoch().count());
  const std::string program = tools.folder + "/programs/lab" + std::to_string(lab.number) + "-" + hex_of(hash_of(names));
  if (!fs::exists(program)) {
    fs::create_directories(tools.folder + "/programs");
    const std::string part = program + "." + new_suffix() + ".part";
    const Ran ran = run({"sh", "-c", replaced(replaced(tools.link, "{objects}", words), "{out}", shell_word(part))});
    if (ran.status != 0) {
      built.failure = "linking failed:\n" + ran.output.substr(0, 1000);
      return built;
    }
    fs::rename(part, program);
  }
  built.program = program;
  return built;
}

}  // namespace vitrail::labs
