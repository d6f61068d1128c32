// make labN: builds what the student has written, runs every exercise, prints the table.
#pragma once

#include <set>
#include <string>

#include "labs/tool/student.h"
#include "labs/tool/suite.h"

namespace vitrail::labs {

struct RunLabOptions {
  std::string mine = "mine";
  std::string exercise;        // only this one; "" for all
  std::set<std::string> lent;  // exercises that the reference does
  RunOptions run;
  unsigned jobs = 2;  // suites that run at once
  bool keep_progress = true;
};

struct Score {
  int points = 0, all = 0;
};

// Returns the points; the table is on standard output. Whatever the student has written is no Error.
Score run_lab(const Toolchain& tools, const Lab& lab, const RunLabOptions& options);

// One exercise judged: its outcome and the message for the table. Names a known mistake if the probes tell one.
struct Verdict {
  Outcome outcome;
  std::string likely;   // why a known mistake is wrong, "" if none is recognised
  std::string message;  // the first failure
};
Verdict judge(const Toolchain& tools, const Lab& lab, const Exercise& exercise, const Built& built, const Answers& answers,
              const RunOptions& options, const std::optional<Expected>& expected);

}  // namespace vitrail::labs
