// make grade: a submission judged exercise by exercise, each with everything else from the reference, so that no mistake is
// punished twice.
#pragma once

#include <string>
#include <vector>

#include "labs/tool/archive.h"
#include "labs/tool/run_lab.h"

namespace vitrail::labs {

struct Grade {
  std::string number, title, output;
  int lab = 0, points = 0, all = 0;
  bool passed = false;
  double seconds = 0;
};

struct Report {
  std::string name;  // of the submission
  std::vector<Grade> grades;
  std::vector<std::string> notes;
  std::string progress;  // the submission's progress.json
  uint64_t seed = 1;
  double seconds = 0;
  int points() const;
  int all() const;
};

// The tests run under seed 1, which students have, and under `seed`. Error(kValue) if this tree does not hold the references.
Report grade(const Toolchain& tools, const std::vector<const Lab*>& labs, const std::string& submission, uint64_t seed,
             unsigned jobs);

// The same with no points at all, for a submission that cannot be read.
Report no_grade(const std::vector<const Lab*>& labs, const std::string& submission, uint64_t seed);

// results.json of Gradescope (gradescope-autograders.readthedocs.io, "Autograder specifications").
std::string gradescope_json(const Report& report);
// result.json of Classroom 50, schema classroom50/result/v1; names of class and submission come from the environment
// (CLASSROOM, ASSIGNMENT, SUBMISSION_TAG, COMMIT_URL, RELEASE_URL, REVIEW_URL, OWNER, MODE).
std::string classroom50_json(const Report& report);
// A line per submission: name, points of each exercise, sum.
std::string csv_table(const std::vector<Report>& reports);

}  // namespace vitrail::labs
