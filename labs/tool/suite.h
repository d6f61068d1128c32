// The tests of one exercise in a process of their own, and what a failure looks like.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "labs/tool/build.h"

namespace vitrail::labs {

struct RunOptions {
  uint64_t seed = 1;
  int threads = 0;             // OMP_NUM_THREADS; 0: as it is
  std::string order = "file";  // doctest's order of test cases: file, suite, name, rand
  size_t variant = 0;          // of a program that holds several (labs/tool/variants.h)
};

// What the reference makes: known wrong answers show other numbers, and a program that ends early shows fewer.
struct Expected {
  int cases = 0;
  int64_t checks = 0;
};

struct Outcome {
  bool passed = false;
  int cases = 0, cases_passed = 0;  // cases: those that the suite has, as far as is known
  int64_t checks = 0;
  double seconds = 0;
  std::string message;  // the first failure
  std::string ending;   // "", "crashed (Segmentation fault)", "ran past 3 s", "ended itself"
  bool not_written = false;
  std::string printed;              // the last lines that it printed itself
  std::vector<std::string> failed;  // names of the cases that failed, sorted
};

Outcome run_suite(const Toolchain& tools, const Lab& lab, const std::string& program, const std::string& exercise,
                  const RunOptions& options, const std::optional<Expected>& expected);

// The results of the exercise's probes, one per line, with how the program ended if not by itself. "" if it has no probes.
std::string run_probes(const Toolchain& tools, const Lab& lab, const std::string& program, const std::string& exercise,
                       const RunOptions& options = {});

// labs/labN/checks.json: what the reference makes under seed 1; labs/labN/fingerprints.json: what known mistakes make of the
// probes.
std::map<std::string, Expected> recorded_checks(const Lab& lab);
std::map<std::string, std::string> recorded_fingerprints(const Lab& lab);  // key -> why it is wrong
// A mistake is recognised by what it makes of the probes and by which tests it fails.
std::string fingerprint(const std::string& exercise, const Outcome& outcome, const std::string& probes);

}  // namespace vitrail::labs
