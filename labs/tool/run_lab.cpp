#include "labs/tool/run_lab.h"

#include <cstdio>
#include <ctime>
#include <iostream>
#include <mutex>
#include <optional>
#include <sstream>
#include <utility>
#include <vector>

#include "labs/tool/process.h"
#include "labs/tool/progress.h"

namespace vitrail::labs {
namespace {

constexpr size_t kMaxMessage = 400;

std::string shortened(const std::string& text) {
  return text.size() <= kMaxMessage ? text : text.substr(0, kMaxMessage - 3) + "...";
}

std::string next_step(const Lab& lab, const Exercise& e, const Verdict& v, const std::string& config) {
  const std::string make = "make lab" + std::to_string(lab.number);
  if (v.outcome.ending.rfind("crashed", 0) == 0 && config != "asan") return make + "-asan EX=" + e.id;
  return "make hint EX=" + e.id;
}

void print_row(const Exercise& e, const Verdict& v, bool lent) {
  const Outcome& o = v.outcome;
  std::printf("  %-4s %-42s %3d / %-3d %2d of %2d tests %6.2f s%s\n", e.id.c_str(), e.title.c_str(),
              o.passed && !lent ? e.points : 0, e.points, o.cases_passed, o.cases, o.seconds, lent ? "  lent" : "");
}

void print_indented(const std::string& text) {
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) std::cout << "       " << line << "\n";
}

// Which failing exercises this one needs.
std::string failing_needs(const Exercise& e, const std::set<std::string>& failed) {
  std::string names;
  for (const std::string& need : e.needs) {
    if (failed.count(need)) names += (names.empty() ? "" : ",") + need;
  }
  return names;
}

class LabRun {
 public:
  LabRun(const Toolchain& tools, const Lab& lab, const RunLabOptions& options)
      : tools_(tools), lab_(lab), options_(options), checks_(recorded_checks(lab)) {}

  Score run() {
    const double start = seconds_now();
    files_ = sources_of(lab_);
    answers_ = read_answers(lab_, files_, options_.mine, {{}, options_.lent});
    built_ = build(tools_, lab_, files_, answers_.bodies, test_objects(tools_, lab_));
    std::cout << "Lab " << lab_.number << "  " << lab_.title << "\n" << std::flush;
    rows();
    std::printf("  %-47s %3d / %-3d%38.1f s\n", "total", score_.points, score_.all, seconds_now() - start);
    if (built_.broken.count("HELPERS"))
      answers_.notes.push_back("LAB HELPERS does not compile and is left out:\n" + built_.broken["HELPERS"]);
    for (const std::string& note : answers_.notes) std::cout << "  note: " << note << "\n";
    forget_old_programs(tools_);
    if (options_.keep_progress) save_progress();
    return score_;
  }

 private:
  // Several exercises are judged at once; each row is printed as soon as all rows above it are.
  void rows() {
    std::vector<const Exercise*> wanted;
    for (const Exercise& e : lab_.exercises)
      if (options_.exercise.empty() || e.id == options_.exercise) wanted.push_back(&e);
    std::vector<std::optional<Verdict>> verdicts(wanted.size());
    size_t printed = 0;
    std::mutex mutex;
    in_parallel(wanted.size(), options_.jobs, [&](size_t i) {
      Verdict v = judged(*wanted[i]);
      const std::lock_guard<std::mutex> lock(mutex);
      verdicts[i] = std::move(v);
      for (; printed < wanted.size() && verdicts[printed]; ++printed) row(*wanted[printed], *verdicts[printed]);
    });
  }

  Verdict judged(const Exercise& e) const {
    std::optional<Expected> expected;
    if (const auto known = checks_.find(e.id); options_.run.seed == 1 && known != checks_.end()) expected = known->second;
    return judge(tools_, lab_, e, built_, answers_, options_.run, expected);
  }

  void row(const Exercise& e, const Verdict& v) {
    const bool lent = options_.lent.count(e.id) > 0;
    const bool passed = v.outcome.passed && !lent;
    score_.all += e.points;
    score_.points += passed ? e.points : 0;
    print_row(e, v, lent);
    outcomes_[e.id] = passed;
    if (v.outcome.passed) return;
    if (!lent) failed_.insert(e.id);
    if (!v.likely.empty()) print_indented("Likely: " + v.likely + ".");
    print_indented(shortened(v.message));
    const std::string needs = failing_needs(e, failed_);
    if (!needs.empty() && holds_reference(files_, needs.substr(0, needs.find(','))))
      print_indented("It needs " + needs + ", which fails too. To go on without: make lab" + std::to_string(lab_.number) +
                     " LEND=" + needs);
    if (!options_.exercise.empty() && !v.outcome.printed.empty()) {
      print_indented("Your code printed:");
      print_indented(v.outcome.printed);
    }
    if (!v.outcome.not_written) print_indented("Next: " + next_step(lab_, e, v, tools_.config));
    std::cout << std::flush;
  }

  // Read now and not before: a hint may have been asked for while the tests ran.
  void save_progress() const {
    Progress progress;
    const auto now = static_cast<int64_t>(std::time(nullptr));
    for (const auto& [id, passed] : outcomes_) {
      ExerciseProgress& p = progress[id];
      if (p.opened == 0) p.opened = now;
      if (passed && p.passed == 0) p.passed = now;
    }
    progress.save();
  }

  const Toolchain& tools_;
  const Lab& lab_;
  const RunLabOptions& options_;
  std::map<std::string, Expected> checks_;
  std::vector<SourceFile> files_;
  Answers answers_;
  Built built_;
  Score score_;
  std::set<std::string> failed_;
  std::map<std::string, bool> outcomes_;  // exercise -> passed
};

}  // namespace

Verdict judge(const Toolchain& tools, const Lab& lab, const Exercise& exercise, const Built& built, const Answers& answers,
              const RunOptions& options, const std::optional<Expected>& expected) {
  Verdict v;
  if (expected) v.outcome.cases = expected->cases;
  if (const auto refused = answers.refused.find(exercise.id); refused != answers.refused.end()) {
    v.message = refused->second;
  } else if (const auto broken = built.broken.find(exercise.id); broken != built.broken.end()) {
    v.message = "does not compile:\n" + broken->second;
  } else if (built.program.empty()) {
    v.message = built.failure;
  } else {
    v.outcome = run_suite(tools, lab, built.program, exercise.id, options, expected);
    v.message = v.outcome.message;
    if (v.outcome.passed || v.outcome.not_written) return v;
    const std::map<std::string, std::string> known = recorded_fingerprints(lab);
    const auto at = known.find(fingerprint(exercise.id, v.outcome, run_probes(tools, lab, built.program, exercise.id)));
    if (at != known.end()) v.likely = at->second;
  }
  return v;
}

Score run_lab(const Toolchain& tools, const Lab& lab, const RunLabOptions& options) {
  return LabRun(tools, lab, options).run();
}

}  // namespace vitrail::labs
