// Runs the program from a test: exit code and all of its output.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "base/error.h"

namespace vitrail::testing {

inline std::string program() {
  const char* path = std::getenv("VITRAIL_BIN");
  return path ? path : "build/release/vitrail";
}

// The test program tests/runop/main.cpp; built beside `vitrail`.
inline std::string runop_program() {
  const char* path = std::getenv("VITRAIL_RUNOP");
  return path ? path : (std::filesystem::path(program()).parent_path() / "runop").string();
}

struct Outcome {
  int code = 0;      // exit code, or -signal
  std::string text;  // standard output, and standard error unless it was sent elsewhere
  bool says(const std::string& part) const { return text.find(part) != std::string::npos; }
};

inline Outcome run_command(const std::string& command, const char* errors = "2>&1") {
  FILE* pipe = popen((command + " " + errors + " < /dev/null").c_str(), "r");
  check(pipe != nullptr, ErrorKind::kIo, "test", "no shell to run ", program());
  Outcome outcome;
  char buffer[4096];
  for (size_t n; (n = fread(buffer, 1, sizeof buffer, pipe)) > 0;) outcome.text.append(buffer, n);
  const int status = pclose(pipe);
  outcome.code = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  return outcome;
}

inline Outcome run(const std::string& arguments, const char* errors = "2>&1") {
  return run_command(program() + " " + arguments, errors);
}

inline Outcome runop(const std::string& arguments, const char* errors = "2>&1") {
  return run_command(runop_program() + " " + arguments, errors);
}

// A folder for all tests of this process; removed at its end.
inline const std::string& scratch() {
  struct OfProcess {
    OfProcess() : path((std::filesystem::temp_directory_path() / cat("vitrail_cli_", getpid())).string()) {
      std::filesystem::create_directories(path);
    }
    ~OfProcess() { std::filesystem::remove_all(path); }
    std::string path;
  };
  static const OfProcess folder;
  return folder.path;
}

// The smallest sensible run.
inline const std::string kQuick = " --train-size 20 --test-size 10 --batch-size 10 --model vit_fashion_p7 ";

// The folder of a model, trained once for all tests that need one.
inline const std::string& trained() {
  static const std::string folder = [] {
    const std::string path = scratch() + "/model";
    const Outcome outcome = run("train --data glyphs --out " + path + kQuick);
    check(outcome.code == 0, ErrorKind::kValue, "test", outcome.text);
    return path;
  }();
  return folder;
}

}  // namespace vitrail::testing
