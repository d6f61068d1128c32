#include "labs/tool/student.h"

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <set>

#include "base/error.h"
#include "base/file.h"
#include "labs/tool/allowed.h"

namespace vitrail::labs {
namespace {

namespace fs = std::filesystem;

// What stands outside of all regions, without blank lines and the line that only student's files have.
std::string outside(const Lines& lines, const std::vector<Region>& regions) {
  std::string text;
  size_t next = 0;
  const auto add_up_to = [&](size_t end) {
    for (; next < end; ++next) {
      const std::string& line = lines[next];
      if (line.find_first_not_of(" \t") != std::string::npos && line.find("\"labs/common/todo.h\"") == std::string::npos)
        text += line + "\n";
    }
  };
  for (const Region& r : regions) {
    add_up_to(r.begin);
    next = r.end + 1;
  }
  add_up_to(lines.size());
  return text;
}

const Region* find_region(const std::vector<Region>& regions, const std::string& key) {
  const auto at = std::find_if(regions.begin(), regions.end(), [&](const Region& r) { return r.key() == key; });
  return at == regions.end() ? nullptr : &*at;
}

// Reads one file of the student.
class AnswerReader {
 public:
  AnswerReader(int lab, const SourceFile& file, const std::string& path, Answers& answers)
      : lab_(lab), file_(file), path_(path), answers_(answers) {}

  void read(const Taken& taken) {
    std::string unreadable;
    if (fs::exists(path_)) {
      try {
        lines_ = read_lines(path_);
      } catch (const Error& error) {
        unreadable = error.what();
      }
    }
    const Marked marked = regions_of(lines_);
    if (!marked.problem.empty()) answers_.notes.push_back(path_ + ", " + marked.problem);
    for (const Region& r : file_.regions) {
      if (!is_wanted(r, taken)) continue;
      std::string& body = answers_.bodies[file_.path][r.key()];
      if (!unreadable.empty()) {
        refuse(r, body, unreadable);
      } else if (lines_.empty()) {
        body = todo_body(path_, r);
      } else {
        take(r, find_region(marked.regions, r.key()), body);
      }
    }
    take_helpers(find_region(marked.regions, "HELPERS#1"));
    if (marked.problem.empty() && !lines_.empty() && outside(lines_, marked.regions) != outside(file_.lines, file_.regions)) {
      answers_.notes.push_back(path_ + " was changed outside of the LAB lines; only what stands between them is used");
    }
  }

 private:
  // A region of this lab, or one of another lab that is blank in this tree.
  bool is_wanted(const Region& r, const Taken& taken) const {
    if (r.lab() == lab_) return (taken.only.empty() || taken.only.count(r.exercise)) && !taken.lent.count(r.exercise);
    return joined(file_.lines, r.begin + 1, r.end).find("lab::todo(\"" + r.exercise + "\")") != std::string::npos;
  }

  void refuse(const Region& r, std::string& body, const std::string& why) {
    answers_.refused.emplace(r.exercise, why);
    body = broken_body(r.exercise, why);
  }

  void take(const Region& ours, const Region* theirs, std::string& body) {
    if (!theirs) return refuse(ours, body, "its lines LAB " + ours.exercise + " BEGIN and END are not both in " + path_);
    const std::string problem = refusal(lines_, theirs->begin + 1, theirs->end);
    if (!problem.empty()) return refuse(ours, body, path_ + ", " + problem);
    body = body_of(path_, lines_, *theirs);
  }

  void take_helpers(const Region* helpers) {
    const auto of_file = answers_.bodies.find(file_.path);
    if (!helpers || helpers->end == helpers->begin + 1 || of_file == answers_.bodies.end()) return;
    const std::string problem = helpers_refusal(lines_, helpers->begin + 1, helpers->end);
    if (problem.empty()) {
      of_file->second["HELPERS#1"] = body_of(path_, lines_, *helpers);
    } else {
      answers_.notes.push_back(path_ + ", LAB HELPERS is left out: " + problem);
    }
  }

  const int lab_;
  const SourceFile& file_;
  std::string path_;
  Answers& answers_;
  Lines lines_;
};

// Exercises that are blank in a student's new file: all of this lab; of the others those that the tree has blank, and all where
// it is no tree for students (labs/blank.txt), since their text would be their solution.
std::set<std::string> blank_in_copy(const Lab& lab, const SourceFile& file) {
  const bool handed_out = fs::exists("labs/blank.txt");
  std::set<std::string> blank;
  for (const Region& r : file.regions) {
    const bool written = joined(file.lines, r.begin + 1, r.end).find("lab::todo(") == std::string::npos;
    if (r.lab() == lab.number || !handed_out || !written) blank.insert(r.exercise);
  }
  return blank;
}

}  // namespace

namespace {

// Files with regions of this lab that are none of its files: the framework has been changed since they were made.
void note_moved(const Lab& lab, const std::string& mine, Answers& answers) {
  if (!fs::is_directory(mine)) return;
  for (fs::recursive_directory_iterator at(mine, fs::directory_options::skip_permission_denied), end; at != end; ++at) {
    if (at->is_directory() && at->path().filename() == "backup") at.disable_recursion_pending();
    if (!at->is_regular_file() || at->path().extension() != ".cpp") continue;
    const std::string path = at->path().lexically_relative(mine).generic_string();
    if (std::find(lab.files.begin(), lab.files.end(), path) != lab.files.end()) continue;
    std::set<std::string> exercises;
    for (const Region& r : regions_of(read_lines(at->path().string())).regions)
      if (r.lab() == lab.number) exercises.insert(r.exercise);
    for (const std::string& exercise : exercises)
      answers.notes.push_back(mine + "/" + path + " has regions of " + exercise +
                              " and is none of this lab's files (any more): move what you wrote to where they are now");
  }
}

}  // namespace

Answers read_answers(const Lab& lab, const std::vector<SourceFile>& files, const std::string& mine, const Taken& taken) {
  Answers answers;
  for (const SourceFile& file : files) AnswerReader(lab.number, file, mine + "/" + file.path, answers).read(taken);
  note_moved(lab, mine, answers);
  return answers;
}

Bodies answers_of_file(const SourceFile& file, const std::string& mine) {
  constexpr int kNoLab = -2;
  Answers answers;
  AnswerReader(kNoLab, file, mine + "/" + file.path, answers).read({});
  return answers.bodies[file.path];
}

void start(const Lab& lab, const std::string& mine) {
  for (const SourceFile& file : sources_of(lab)) {
    const std::string to = mine + "/" + file.path;
    if (fs::exists(to)) continue;
    fs::create_directories(fs::path(to).parent_path());
    write_file_atomically(to, student_copy(file, blank_in_copy(lab, file)));
    std::cout << "  new: " << to << "\n";
  }
  const std::string answers = mine + "/answers/lab" + std::to_string(lab.number) + ".md";
  if (lab.questions.empty() || fs::exists(answers)) return;
  std::string text = "# Lab " + std::to_string(lab.number) + ": answers\n";
  for (const std::string& question : lab.questions) text += "\n## " + question + "\n\n";
  fs::create_directories(fs::path(answers).parent_path());
  write_file_atomically(answers, text);
  std::cout << "  new: " << answers << "\n";
}

void reset(const Lab& lab, const std::string& mine) {
  std::string backup;
  for (int i = 1; backup.empty() || fs::exists(backup); ++i)
    backup = mine + "/backup/lab" + std::to_string(lab.number) + "-" + std::to_string(i);
  bool moved = false;
  for (const std::string& path : lab.files) {
    if (!fs::exists(mine + "/" + path)) continue;
    fs::create_directories(fs::path(backup + "/" + path).parent_path());
    fs::rename(mine + "/" + path, backup + "/" + path);
    moved = true;
  }
  if (moved) std::cout << "  your files are kept in " << backup << "\n";
  start(lab, mine);
}

void blank_later_labs(const Lab& lab, const std::vector<Lab>& labs, std::vector<SourceFile>& files, FileBodies& bodies) {
  for (const Lab& later : labs) {
    if (later.number <= lab.number) continue;
    for (const SourceFile& file : sources_of(later)) {
      if (file.path.rfind("labs/", 0) == 0) continue;  // a lab's own file is in no other lab's program
      for (const Region& r : file.regions) {
        const bool written = std::count(lab.written_before.begin(), lab.written_before.end(), r.exercise) > 0;
        if (r.lab() == later.number && !written) bodies[file.path][r.key()] = todo_body(file.path, r);
      }
      const auto same = [&](const SourceFile& other) { return other.path == file.path; };
      if (std::none_of(files.begin(), files.end(), same)) files.push_back(file);
    }
  }
}

bool is_unfinished(const Lab& lab, const std::vector<SourceFile>& files, const std::string& mine, const std::string& exercise) {
  const Answers answers = read_answers(lab, files, mine, {{exercise}, {}});
  for (const auto& [path, bodies] : answers.bodies) {
    for (const auto& [key, body] : bodies) {
      if (key.rfind(exercise + "#", 0) == 0 && body.find("lab::todo(") != std::string::npos) return true;
    }
  }
  return false;
}

}  // namespace vitrail::labs
