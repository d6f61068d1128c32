#include "labs/tool/prove.h"

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <mutex>

#include "base/error.h"
#include "base/file.h"
#include "base/json_writer.h"
#include "labs/tool/allowed.h"
#include "labs/tool/handout.h"
#include "labs/tool/mistakes.h"
#include "labs/tool/process.h"
#include "labs/tool/student.h"
#include "labs/tool/variants.h"

namespace vitrail::labs {
namespace {

constexpr int kMistakes = 3;  // known mistakes that an exercise has at least

std::string shortened(const std::string& text) {
  std::string line = text.substr(0, text.find('\n'));
  return line.size() <= 160 ? line : line.substr(0, 157) + "...";
}

class Prover {
 public:
  Prover(const Toolchain& tools, const Lab& lab, const ProveOptions& options)
      : tools_(tools), lab_(lab), options_(options), files_(sources_of(lab)), recorded_(recorded_fingerprints(lab)) {}

  int run() {
    const double start = seconds_now();
    std::cout << "lab " << lab_.number << "  " << lab_.title << "\n" << std::flush;
    reference();
    all_blank();
    build_variants();
    one_blank();
    if (!options_.quick && options_.exercise.empty()) later_blank();
    if (!options_.quick) mistakes();
    forget(variants_);
    if (!options_.quick) settings();
    if (options_.exercise.empty()) handout();
    forget_old_programs(tools_);
    std::printf("lab %d: %d proven, %d failed (%.1f s)\n", lab_.number, proven_, failed_, seconds_now() - start);
    std::fflush(stdout);
    return failed_;
  }

 private:
  void verdict(const std::string& what, bool good, const std::string& why = "") {
    const std::lock_guard<std::mutex> lock(mutex_);
    ++(good ? proven_ : failed_);
    if (good && !options_.verbose) return;
    std::printf("  %-7s %s%s\n", good ? "proven" : "FAILED", what.c_str(), why.empty() ? "" : (": " + shortened(why)).c_str());
    std::fflush(stdout);
  }

  bool is_wanted(const std::string& exercise) const { return options_.exercise.empty() || options_.exercise == exercise; }

  FileBodies blank(const std::set<std::string>& which) const {
    FileBodies bodies;
    for (const SourceFile& file : files_) {
      for (const Region& r : file.regions) {
        if (which.count(r.exercise)) bodies[file.path][r.key()] = todo_body(file.path, r);
      }
    }
    return bodies;
  }

  Built program_of(const FileBodies& bodies) const { return build(tools_, lab_, files_, bodies, test_objects(tools_, lab_)); }

  void reference() {
    FileBodies same;
    for (const SourceFile& file : files_) {
      for (const Region& r : file.regions) {
        if (r.lab() != lab_.number) continue;
        const std::string refused = refusal(file.lines, r.begin + 1, r.end);
        verdict("the reference of " + r.exercise + " is what a student may write", refused.empty(), refused);
        same[file.path][r.key()] = body_of(file.path, file.lines, r);
      }
    }
    reference_bodies_ = same;
    reference_ = program_of(same);
    std::vector<Outcome> outcomes(lab_.exercises.size());
    std::vector<std::string> probes(lab_.exercises.size());
    if (!reference_.program.empty()) {
      in_parallel(outcomes.size(), options_.jobs, [&](size_t i) {
        const std::string& id = lab_.exercises[i].id;
        outcomes[i] = run_suite(tools_, lab_, reference_.program, id, {}, {});
        if (is_wanted(id)) probes[i] = run_probes(tools_, lab_, reference_.program, id);
      });
    }
    std::map<std::string, Expected> made;
    const std::map<std::string, Expected> recorded = recorded_checks(lab_);
    for (size_t i = 0; i < outcomes.size(); ++i) {
      const Outcome& o = outcomes[i];
      const std::string& id = lab_.exercises[i].id;
      made[id] = {o.cases, o.checks};
      if (!is_wanted(id)) continue;
      verdict("the reference passes " + id, o.passed, o.message + reference_.failure);
      reference_probes_[id] = probes[i];
      if (options_.record) continue;
      const auto at = recorded.find(id);
      const bool same_count = at != recorded.end() && at->second.cases == o.cases && at->second.checks == o.checks;
      verdict("checks.json tells the checks of " + id, same_count, "make labs-record LABS=" + std::to_string(lab_.number));
    }
    if (options_.record) write_checks(made);
  }

  void write_checks(const std::map<std::string, Expected>& made) const {
    JsonWriter w(1);
    w.begin_object();
    for (const auto& [id, e] : made) w.field(id, std::vector<int64_t>{e.cases, e.checks});
    w.end_object();
    write_file_atomically(lab_.folder + "/checks.json", w.text() + "\n");
  }

  // Every test case of every exercise fails, and says which exercise is missing: the one it belongs to or one that it needs.
  void all_blank() {
    std::set<std::string> all;
    for (const Exercise& e : lab_.exercises) all.insert(e.id);
    const Built built = program_of(blank(all));
    if (built.program.empty()) return verdict("the blanks compile", false, built.failure);
    in_parallel(lab_.exercises.size(), options_.jobs, [&](size_t i) {
      const Exercise& e = lab_.exercises[i];
      if (!is_wanted(e.id)) return;
      const Outcome o = run_suite(tools_, lab_, built.program, e.id, {}, {});
      verdict("blank, every test of " + e.id + " fails", o.cases > 0 && o.cases_passed == 0,
              std::to_string(o.cases_passed) + " of " + std::to_string(o.cases) + " pass");
      verdict("blank, " + e.id + " says what is missing", o.message.find("is not written yet") != std::string::npos, o.message);
    });
  }

  void compile_in_parallel(const std::vector<SourceFile>& files, const FileBodies& bodies) const {
    in_parallel(files.size(), options_.jobs, [&](size_t i) {  // build() compiles one after the other what is not there yet
      Built ignored;
      if (const auto at = bodies.find(files[i].path); at != bodies.end()) build_object(tools_, files[i], at->second, ignored);
    });
  }

  // One program with all that is wrong: the lab with each exercise blank, in the lab's order, then with each mistake.
  void build_variants() {
    std::vector<FileBodies> variants;
    for (const Exercise& e : lab_.exercises) variants.push_back(blank({e.id}));
    for (Mistake& m : options_.quick ? std::vector<Mistake>{} : read_mistakes(lab_, files_)) {
      if (!is_wanted(m.exercise)) continue;
      variants.push_back(m.bodies);
      mistakes_.push_back(std::move(m));
    }
    const FileBodies bodies = with_variants(files_, variants);
    compile_in_parallel(files_, bodies);
    variants_ = program_of(bodies);
    if (variants_.program.empty())
      std::cout << "  the mistakes do not compile together, so each is compiled alone: " << shortened(variants_.failure)
                << "\n";
  }

  // With one exercise blank, it fails and names itself; others fail exactly if they say that they need it.
  void one_blank() {
    in_parallel(lab_.exercises.size(), options_.jobs, [&](size_t i) {
      const std::string id = lab_.exercises[i].id;
      const bool together = !variants_.program.empty();
      const Built built = together ? variants_ : program_of(blank({id}));
      for (const Exercise& e : lab_.exercises) {
        if (!is_wanted(e.id) && !is_wanted(id)) continue;
        const Outcome o = run_suite(tools_, lab_, built.program, e.id, {.variant = together ? i + 1 : 0}, {});
        if (e.id == id) {
          verdict("without " + id + " it fails and is named",
                  !o.passed && o.message.find("exercise " + id + " is not written") != std::string::npos, o.message);
        } else {
          const bool declared = std::count(e.needs.begin(), e.needs.end(), id) > 0;
          verdict(e.id + (declared ? " needs " : " does not need ") + id, o.passed != declared,
                  o.passed ? "it passes without" : o.message);
        }
      }
    });
  }

  // Who does the labs in their order has not done the later ones: nothing of this lab may need them.
  void later_blank() {
    std::vector<SourceFile> files = files_;
    FileBodies bodies = reference_bodies_;
    blank_later_labs(lab_, load_labs("labs"), files, bodies);
    compile_in_parallel(files, bodies);
    const Built built = build(tools_, lab_, files, bodies, test_objects(tools_, lab_));
    in_parallel(lab_.exercises.size(), options_.jobs, [&](size_t i) {
      const std::string& id = lab_.exercises[i].id;
      const Outcome o = built.program.empty() ? Outcome{} : run_suite(tools_, lab_, built.program, id, {}, {});
      verdict(id + " passes while all later labs are blank", o.passed, o.message + built.failure);
    });
    if (built.program != reference_.program) forget(built);  // of the last lab it is the same
  }

  void mistakes() {
    const std::vector<Mistake>& all = mistakes_;
    std::map<std::string, int> count;
    std::vector<std::string> keys(all.size());
    for (const Mistake& m : all) ++count[m.exercise];
    in_parallel(all.size(), options_.jobs,
                [&](size_t i) { keys[i] = fingerprint_of(all[i], /*variant=*/lab_.exercises.size() + i + 1); });
    std::map<std::string, std::string> why;
    std::map<std::string, std::string> owner;
    for (size_t i = 0; i < all.size(); ++i) {
      if (keys[i].empty()) continue;
      const std::string name = all[i].exercise + " " + all[i].name;
      const bool own = owner.emplace(keys[i], name).second;
      verdict("the probes tell " + name, own, "they cannot tell it from " + owner[keys[i]]);
      why[keys[i]] = all[i].why;
    }
    for (const Exercise& e : lab_.exercises) {
      if (is_wanted(e.id)) verdict(e.id + " has three known mistakes", count[e.id] >= kMistakes, std::to_string(count[e.id]));
    }
    if (!options_.exercise.empty()) return;
    if (options_.record) {
      JsonWriter w(1);
      w.begin_object();
      for (const auto& [key, text] : why) w.field(key, text);
      write_file_atomically(lab_.folder + "/fingerprints.json", w.end_object().text() + "\n");
    } else {
      verdict("fingerprints.json is what the mistakes give", recorded_ == why,
              "make labs-record LABS=" + std::to_string(lab_.number));
    }
  }

  // What a mistake makes of its exercise's tests and probes.
  struct Tried {
    Outcome outcome;
    std::string probes, key;  // key: the fingerprint, "" if it does not compile
  };
  Tried tried(const Mistake& m, const Built& built, size_t variant) const {
    if (built.program.empty() || built.broken.count(m.exercise) > 0) return {};
    Tried t{run_suite(tools_, lab_, built.program, m.exercise, {.variant = variant}, {}),
            run_probes(tools_, lab_, built.program, m.exercise, {.variant = variant}), ""};
    t.key = fingerprint(m.exercise, t.outcome, t.probes);
    return t;
  }

  // The fingerprint of a mistake, "" if something is wrong with it. A student's program holds this mistake alone, so that is
  // what counts: where the variant's fingerprint is not the recorded one, the mistake is compiled alone.
  std::string fingerprint_of(const Mistake& m, size_t variant) {
    Tried t = tried(m, variants_, variant);
    std::string failure;
    const auto known = recorded_.find(t.key);
    if (known == recorded_.end() || known->second != m.why) {
      const Built own = program_of(m.bodies);
      t = tried(m, own, 0);
      failure = own.program.empty() ? own.failure : own.broken.empty() ? "" : own.broken.begin()->second;
      forget(own);
    }
    const std::string name = m.exercise + " " + m.name + " (mistakes.txt:" + std::to_string(m.line) + ")";
    if (t.key.empty()) {
      verdict("mistake " + name + " compiles", false, failure);
      return "";
    }
    const Outcome& o = t.outcome;
    verdict("mistake " + name + " is rejected", !o.passed && !o.not_written, o.passed ? "it PASSES: " + m.why : o.message);
    verdict("a probe sees mistake " + name, t.probes != reference_probes_[m.exercise]);
    return t.key;
  }

  // The verdict does not depend on the order of the tests, on threads, or on the seed.
  void settings() {
    if (reference_.program.empty()) return;
    std::vector<std::pair<std::string, RunOptions>> kinds;
    for (const int threads : {1, 2, 4}) kinds.push_back({std::to_string(threads) + " threads", {1, threads, "rand"}});
    for (const uint64_t seed : {7u, 2026u, 99u}) kinds.push_back({"seed " + std::to_string(seed), {seed, 0, "file"}});
    in_parallel(kinds.size(), options_.jobs, [&](size_t i) {
      for (const Exercise& e : lab_.exercises) {
        if (!is_wanted(e.id)) continue;
        const Outcome o = run_suite(tools_, lab_, reference_.program, e.id, kinds[i].second, {});
        verdict("the reference passes " + e.id + " with " + kinds[i].first, o.passed, o.message);
      }
    });
  }

  void handout() {
    const std::vector<std::string> problems = handout_problems(lab_);
    for (const std::string& problem : problems) verdict("the handout is whole and current", false, problem);
    if (problems.empty()) verdict("the handout is whole and current", true);
  }

  const Toolchain& tools_;
  const Lab& lab_;
  const ProveOptions& options_;
  std::vector<SourceFile> files_;
  const std::map<std::string, std::string> recorded_;  // fingerprints
  FileBodies reference_bodies_;
  std::vector<Mistake> mistakes_;
  Built reference_, variants_;
  std::map<std::string, std::string> reference_probes_;
  std::mutex mutex_;
  int proven_ = 0, failed_ = 0;
};

}  // namespace

int prove(const Toolchain& tools, const Lab& lab, const ProveOptions& options) { return Prover(tools, lab, options).run(); }

}  // namespace vitrail::labs
