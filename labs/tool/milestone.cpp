#include "labs/tool/milestone.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <iostream>

#include "base/error.h"
#include "base/text.h"
#include "labs/tool/process.h"

namespace vitrail::labs {
namespace {

namespace fs = std::filesystem;

struct Share {
  int own = 0, all = 0;  // lines between the marks
};

// How many of the lab's lines are the student's.
Share share_of(const Lab& lab, const std::vector<SourceFile>& files, const std::set<std::string>& lent) {
  Share share;
  for (const SourceFile& file : files) {
    for (const Region& r : file.regions) {
      if (r.lab() != lab.number) continue;
      const int lines = static_cast<int>(r.end - r.begin) - 1;
      share.all += lines;
      share.own += lent.count(r.exercise) ? 0 : lines;
    }
  }
  return share;
}

// The program owns the terminal while it runs, so that Ctrl-C ends it.
int run_in_front(const std::string& program, const std::string& out) {
  const std::string path = fs::absolute(program).string();
  const pid_t child = fork();
  if (child == 0) {
    execl(path.c_str(), path.c_str(), out.c_str(), static_cast<char*>(nullptr));
    _exit(127);
  }
  int status = 0;
  check(child > 0 && waitpid(child, &status, 0) == child, ErrorKind::kIo, "labs", "no process for ", escaped_path(program));
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace

int milestone(const Toolchain& tools, const Lab& lab, const MilestoneOptions& options) {
  std::vector<SourceFile> files = sources_of(lab);
  std::set<std::string> lent = options.lent;
  for (const Exercise& e : lab.exercises) {
    if (options.mine.empty() || is_unfinished(lab, files, options.mine, e.id)) lent.insert(e.id);
  }
  for (const std::string& id : lent) {
    check(holds_reference(files, id), ErrorKind::kValue, "labs", "the milestone needs ", id,
          ", which is not written yet. Hint: make lab", lab.number, " EX=", id);
  }
  Answers answers = options.mine.empty() ? Answers{} : read_answers(lab, files, options.mine, {{}, lent});
  if (!answers.refused.empty())
    fail(ErrorKind::kData, "labs", answers.refused.begin()->first, ": ", answers.refused.begin()->second);
  const Share share = share_of(lab, files, lent);
  if (options.later_blank) blank_later_labs(lab, load_labs("labs"), files, answers.bodies);
  const std::string object = tools.folder + "/" + fs::path(lab.folder).filename().string() + "/milestone.o";
  const Built built = build(tools, lab, files, answers.bodies, {object});
  check(
      built.broken.empty() && !built.program.empty(), ErrorKind::kData, "labs", "the milestone cannot be built: ",
      built.broken.empty() ? built.failure : built.broken.begin()->first + " does not compile: " + built.broken.begin()->second,
      ". Hint: make lab", lab.number);
  std::cout << "Milestone " << lab.number << ": " << lab.milestone << "\n";
  if (!options.mine.empty()) {
    std::cout << "  yours: " << share.own << " of the lab's " << share.all << " lines";
    if (!lent.empty()) {
      std::cout << "; not written yet and lent:";
      for (const std::string& id : lent) std::cout << " " << id;
    }
    std::cout << "\n";
  }
  std::cout << std::flush;
  fs::create_directories(options.out);
  const int status = run_in_front(built.program, options.out);
  if (status >= 128) std::cout << "  The program crashed. make lab" << lab.number << " says which exercise is wrong.\n";
  if (status == 0) {
    std::vector<std::string> pictures;
    for (const auto& entry : fs::directory_iterator(options.out)) {
      const std::string name = entry.path().filename().string();
      if (name.rfind("lab" + std::to_string(lab.number), 0) == 0) pictures.push_back(entry.path().string());
    }
    std::sort(pictures.begin(), pictures.end());
    for (const std::string& picture : pictures) std::cout << "  picture: " << picture << "\n";
  }
  return status;
}

}  // namespace vitrail::labs
