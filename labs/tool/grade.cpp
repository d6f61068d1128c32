#include "labs/tool/grade.h"

#include <filesystem>
#include <mutex>

#include "base/error.h"
#include "labs/tool/process.h"

namespace vitrail::labs {
namespace {

namespace fs = std::filesystem;

void check_references(const Lab& lab, const std::vector<SourceFile>& files) {
  for (const Exercise& e : lab.exercises) {
    check(holds_reference(files, e.id), ErrorKind::kValue, "labs", "this tree does not hold the reference of ", e.id,
          ". Hint: grade in the whole framework, not in an exported tree.");
  }
}

class Grader {
 public:
  Grader(const Toolchain& tools, const Lab& lab, const std::string& mine, uint64_t seed)
      : tools_(tools), lab_(lab), mine_(mine), seed_(seed), files_(sources_of(lab)), recorded_(recorded_checks(lab)) {
    check_references(lab, files_);
    reference_ = build(tools, lab, files_, {}, test_objects(tools, lab));
    check(!reference_.program.empty(), ErrorKind::kData, "labs", "the reference of lab ", lab.number,
          " does not build: ", reference_.failure);
  }

  Grade grade(const Exercise& e, std::vector<std::string>& notes) const {
    Grade g{e.id, e.title, "", lab_.number, 0, e.points, false, 0};
    const Answers answers = read_answers(lab_, files_, mine_, {{e.id}, {}});
    notes = answers.notes;
    const Built built = build(tools_, lab_, files_, answers.bodies, test_objects(tools_, lab_));
    for (const uint64_t seed : {uint64_t{1}, seed_}) {
      const Verdict v = judge(tools_, lab_, e, built, answers, {seed, 0, "file"}, expected(e, seed));
      g.passed = v.outcome.passed;
      g.seconds += v.outcome.seconds;
      if (g.passed && seed != seed_) continue;
      if (!g.passed)
        g.output = (v.likely.empty() ? "" : "Likely: " + v.likely + ".\n") + v.message +
                   (seed == 1 ? "" : "\n(with other random numbers, seed " + std::to_string(seed) + ")");
      break;
    }
    forget(built);
    g.points = g.passed ? e.points : 0;
    return g;
  }

 private:
  // What the reference makes: recorded for the students' seed, run for another.
  std::optional<Expected> expected(const Exercise& e, uint64_t seed) const {
    const auto at = recorded_.find(e.id);
    if (seed == 1 && at != recorded_.end()) return at->second;
    const Outcome o = run_suite(tools_, lab_, reference_.program, e.id, {seed, 0, "file"}, {});
    check(o.passed, ErrorKind::kData, "labs", "the reference fails ", e.id, " under seed ", seed, ": ", o.message);
    return Expected{o.cases, o.checks};
  }

  const Toolchain& tools_;
  const Lab& lab_;
  std::string mine_;
  uint64_t seed_;
  std::vector<SourceFile> files_;
  std::map<std::string, Expected> recorded_;
  Built reference_;
};

}  // namespace

int Report::points() const {
  int sum = 0;
  for (const Grade& g : grades) sum += g.points;
  return sum;
}

int Report::all() const {
  int sum = 0;
  for (const Grade& g : grades) sum += g.all;
  return sum;
}

Report no_grade(const std::vector<const Lab*>& labs, const std::string& path, uint64_t seed) {
  Report report{fs::path(path).filename().string(), {}, {}, "", seed, 0};
  for (const Lab* lab : labs) {
    for (const Exercise& e : lab->exercises)
      report.grades.push_back({e.id, e.title, "the submission cannot be read", lab->number, 0, e.points, false, 0});
  }
  return report;
}

Report grade(const Toolchain& tools, const std::vector<const Lab*>& labs, const std::string& path, uint64_t seed,
             unsigned jobs) {
  const double start = seconds_now();
  const Submission submission(labs, path, tools.folder);
  Report report{fs::path(path).filename().string(), {}, {}, submission.progress(), seed, 0};
  for (const Lab* lab : labs) {
    const Grader grader(tools, *lab, submission.folder(), seed);
    std::vector<Grade> grades(lab->exercises.size());
    std::vector<std::vector<std::string>> notes(lab->exercises.size());
    in_parallel(grades.size(), jobs, [&](size_t i) { grades[i] = grader.grade(lab->exercises[i], notes[i]); });
    report.grades.insert(report.grades.end(), grades.begin(), grades.end());
    std::set<std::string> once;
    for (const std::vector<std::string>& some : notes) once.insert(some.begin(), some.end());
    report.notes.insert(report.notes.end(), once.begin(), once.end());
  }
  report.seconds = seconds_now() - start;
  return report;
}

}  // namespace vitrail::labs
