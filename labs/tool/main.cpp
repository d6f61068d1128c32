// labtool: the program behind make lab1, make hint, make grade ... (labs/labs.mk starts it).
#include <algorithm>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <functional>
#include <iostream>

#include "base/error.h"
#include "base/exit_code.h"
#include "base/file.h"
#include "base/number.h"
#include "base/text.h"
#include "labs/tool/export.h"
#include "labs/tool/grade.h"
#include "labs/tool/handout.h"
#include "labs/tool/milestone.h"
#include "labs/tool/process.h"
#include "labs/tool/progress.h"
#include "labs/tool/prove.h"
#include "labs/tool/run_lab.h"

namespace vitrail::labs {
namespace {

// --name value pairs behind the command's word and its first argument.
class Arguments {
 public:
  Arguments(int argc, char** argv) : words_(argv + 1, argv + argc) {}
  std::string command() const { return words_.empty() ? "" : words_[0]; }
  std::string first() const { return words_.size() > 1 && words_[1].rfind("--", 0) != 0 ? words_[1] : ""; }
  std::string get(const std::string& name, const std::string& otherwise = "") const {
    for (size_t i = 1; i + 1 < words_.size(); ++i) {
      if (words_[i] == "--" + name) return words_[i + 1];
    }
    return otherwise;
  }
  bool has(const std::string& name) const {
    for (const std::string& word : words_) {
      if (word == "--" + name) return true;
    }
    return false;
  }

 private:
  std::vector<std::string> words_;
};

std::string read_bytes_as_text(const std::string& path) {
  const std::vector<uint8_t> bytes = read_file(path);
  return {bytes.begin(), bytes.end()};
}

int lab_number(const std::string& text) { return static_cast<int>(parse_integer("labs", "lab", text, 0, 99)); }
unsigned jobs_of(const Arguments& a) { return static_cast<unsigned>(parse_integer("labs", "jobs", a.get("jobs", "2"), 1, 64)); }

// Lending takes the framework's text, which an exported tree does not have.
void check_lendable(const Lab& lab, const std::set<std::string>& lent) {
  const std::vector<SourceFile> files = sources_of(lab);
  for (const std::string& id : lent) {
    check(holds_reference(files, id), ErrorKind::kValue, "labs", "this tree does not hold the reference of ", id,
          ", so it cannot be lent. Hint: ask your teacher for a tree with it solved.");
  }
}

int run_command(const Arguments& a) {
  const std::vector<Lab> labs = load_labs("labs");
  const Lab& lab = lab_of_number(labs, lab_number(a.first()));
  RunLabOptions options;
  options.mine = a.get("mine", "mine");
  options.exercise = a.get("ex");
  if (!options.exercise.empty()) {
    const Lab& owner = lab_of_exercise(labs, options.exercise);
    check(&owner == &lab, ErrorKind::kValue, "labs", "exercise ", options.exercise, " belongs to lab ", owner.number,
          ". Hint: make lab", owner.number, " EX=", options.exercise);
  }
  for (const std::string& word : chosen_of(labs, a.get("lend"))) {
    const size_t before = options.lent.size();
    for (const Exercise& e : lab.exercises) {
      if (chosen({word}, e.id)) options.lent.insert(e.id);
    }
    check(options.lent.size() > before, ErrorKind::kValue, "labs", "LEND=", word, " is not of lab ", lab.number,
          ". Hint: what stands in other labs comes from the tree as it is.");
  }
  check_lendable(lab, options.lent);
  options.run.seed = static_cast<uint64_t>(parse_integer("labs", "SEED", a.get("seed", "1"), 0, int64_t{1} << 40));
  options.jobs = jobs_of(a);
  start(lab, options.mine);
  const Toolchain tools = toolchain();
  const FolderLock lock(tools);
  const Score score = run_lab(tools, lab, options);
  return a.has("strict") && score.points < score.all ? 1 : 0;
}

int prove_command(const Arguments& a) {
  ProveOptions options;
  options.jobs = jobs_of(a);
  options.record = a.has("record");
  options.quick = a.has("quick");
  options.verbose = a.has("verbose");
  options.exercise = a.get("ex");
  const std::vector<Lab> labs = load_labs("labs");
  const std::set<std::string> which = chosen_of(labs, a.get("labs"));
  const Toolchain tools = toolchain();
  const FolderLock lock(tools);
  int failed = 0;
  for (const Lab& lab : labs) {
    if (which.empty() || which.count(std::to_string(lab.number))) failed += prove(tools, lab, options);
  }
  return failed > 0 ? 1 : 0;
}

int hint_command(const Arguments& a) {
  check(!a.first().empty(), ErrorKind::kValue, "labs", "which exercise? Hint: make hint EX=1.3");
  const std::vector<Lab> labs = load_labs("labs");
  show_hint(lab_of_exercise(labs, a.first()), a.first());
  return 0;
}
int reveal_command(const Arguments& a) {
  check(!a.first().empty(), ErrorKind::kValue, "labs", "which exercise? Hint: make reveal EX=1.3");
  const std::vector<Lab> labs = load_labs("labs");
  reveal(lab_of_exercise(labs, a.first()), a.first());
  return 0;
}
int status_command(const Arguments&) {
  show_status(load_labs("labs"));
  return 0;
}
int reset_command(const Arguments& a) {
  const std::vector<Lab> labs = load_labs("labs");
  reset(lab_of_number(labs, lab_number(a.first())), a.get("mine", "mine"));
  return 0;
}

int milestone_command(const Arguments& a) {
  const std::vector<Lab> labs = load_labs("labs");
  const Lab& lab = lab_of_number(labs, lab_number(a.first()));
  MilestoneOptions options;
  options.mine = a.has("reference") ? "" : a.get("mine", "mine");
  options.out = a.get("out", options.mine + "/pictures");
  options.later_blank = a.has("later-blank");
  for (const std::string& word : chosen_of(labs, a.get("lend"))) {
    for (const Exercise& e : lab.exercises) {
      if (chosen({word}, e.id)) options.lent.insert(e.id);
    }
  }
  if (!options.mine.empty()) start(lab, options.mine);
  const Toolchain tools = toolchain();
  const FolderLock lock(tools);
  return milestone(tools, lab, options);
}

int handouts_command(const Arguments&) {
  for (const Lab& lab : load_labs("labs")) {
    const std::string path = lab.folder + "/README.md";
    if (!std::filesystem::exists(path)) continue;
    const std::string text = refreshed_handout(lab);
    if (text == read_text_file(path)) continue;
    write_file_atomically(path, text);
    std::cout << "  refreshed: " << path << "\n";
  }
  return 0;
}

// "1,3" -> the labs; all of them if it is empty.
std::vector<const Lab*> named_labs(const std::vector<Lab>& labs, const std::string& words) {
  const std::set<std::string> which = chosen_of(labs, words);
  std::vector<const Lab*> named;
  for (const Lab& lab : labs) {
    if (which.empty() || which.count(std::to_string(lab.number))) named.push_back(&lab);
  }
  check(!named.empty(), ErrorKind::kValue, "labs", "LABS=", words, " names no lab. Hint: LABS=3 or LABS=1,3.");
  return named;
}

int submit_command(const Arguments& a) {
  const std::vector<Lab> labs = load_labs("labs");
  check(!a.get("labs").empty(), ErrorKind::kValue, "labs", "which labs? Hint: make submit LABS=1");
  write_submission(named_labs(labs, a.get("labs")), a.get("mine", "mine"), a.get("out", "submission.zip"));
  return 0;
}

int grade_command(const Arguments& a) {
  const std::vector<Lab> labs = load_labs("labs");
  const std::vector<const Lab*> which = named_labs(labs, a.get("labs"));
  const std::string format = a.get("format", "gradescope"), path = a.get("submission"), out = a.get("out");
  const auto seed = static_cast<uint64_t>(parse_integer("labs", "SEED", a.get("seed", "7"), 0, int64_t{1} << 40));
  const unsigned jobs = jobs_of(a);
  check(!path.empty(), ErrorKind::kValue, "labs", "which submission? Hint: make grade SUBMISSION=FILE.zip LABS=3");
  check(format == "gradescope" || format == "classroom50" || format == "csv", ErrorKind::kValue, "labs",
        "FORMAT=", quote(format), " is none of gradescope, classroom50, csv");
  const Toolchain tools = toolchain();
  const FolderLock lock(tools);
  std::string text;
  if (format == "csv") {
    std::vector<std::string> names;
    check(std::filesystem::is_directory(path), ErrorKind::kValue, "labs", escaped_path(path), " is no folder of submissions");
    for (const auto& entry : std::filesystem::directory_iterator(path)) names.push_back(entry.path().string());
    std::sort(names.begin(), names.end());
    std::vector<Report> reports;
    for (const std::string& name : names) {
      try {
        reports.push_back(grade(tools, which, name, seed, jobs));
      } catch (const Error& error) {  // one that cannot be read must not keep the others from their grades
        std::cout << "  note: no points for " << name << ": " << error.what() << "\n";
        reports.push_back(no_grade(which, name, seed));
      }
    }
    text = csv_table(reports);
  } else {
    const Report report = grade(tools, which, path, seed, jobs);
    std::cout << "  " << report.points() << " of " << report.all() << " points\n";
    text = format == "gradescope" ? gradescope_json(report) : classroom50_json(report);
  }
  if (out.empty()) std::cout << text;
  if (!out.empty()) write_file_atomically(out, text);
  return 0;
}

int export_command(const Arguments& a) {
  const std::string out = a.get("out");
  check(!out.empty(), ErrorKind::kValue, "labs", "where to? Hint: make labs-export OUT=../vit-labs SOLVED=2");
  export_tree(out, static_cast<int>(parse_integer("labs", "SOLVED", a.get("solved", "-1"), -1, 99)));
  return 0;
}

// One file of an exported tree for the library: what is blank comes from mine/.
int object_command(const Arguments& a) {
  const SourceFile file = read_source(a.first());
  Built built;
  const std::string object = build_object(toolchain(), file, answers_of_file(file, a.get("mine", "mine")), built);
  check(!object.empty(), ErrorKind::kData, "labs", built.failure);
  const std::string out = a.get("out"), bytes = read_bytes_as_text(object);
  std::filesystem::create_directories(std::filesystem::path(out).parent_path());
  if (!std::filesystem::exists(out) || read_bytes_as_text(out) != bytes)
    std::filesystem::copy_file(object, out, std::filesystem::copy_options::overwrite_existing);
  return 0;
}

int dispatch(const Arguments& a) {
  const std::map<std::string, std::function<int(const Arguments&)>> commands{
      {"run", run_command},       {"prove", prove_command}, {"hint", hint_command},           {"reveal", reveal_command},
      {"status", status_command}, {"reset", reset_command}, {"milestone", milestone_command}, {"handouts", handouts_command},
      {"submit", submit_command}, {"grade", grade_command}, {"export", export_command},       {"object", object_command}};
  const auto command = commands.find(a.command());
  std::string names;
  for (const auto& [name, function] : commands) names += " " + name;
  check(command != commands.end(), ErrorKind::kValue, "labs", "there is no command ", quote(a.command()),
        ". The commands are:", names);
  return command->second(a);
}

}  // namespace
}  // namespace vitrail::labs

int main(int argc, char** argv) {
  try {
    vitrail::labs::adopt_orphans();
    return vitrail::labs::dispatch({argc, argv});
  } catch (const vitrail::Error& error) {
    std::cout.flush();
    vitrail::complain(error.what());
    return vitrail::exit_code(error.kind());
  } catch (const std::exception& error) {
    std::cout.flush();
    vitrail::complain(error.what());
    return 4;
  }
}
