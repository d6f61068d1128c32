#include "labs/tool/mistakes.h"

#include <algorithm>
#include <filesystem>
#include <sstream>

#include "base/error.h"
#include "base/text.h"

namespace vitrail::labs {
namespace {

std::string trimmed_front(const std::string& line) {
  const size_t at = line.find_first_not_of(" \t");
  return at == std::string::npos ? "" : line.substr(at);
}

class MistakeReader {
 public:
  MistakeReader(const Lab& lab, const std::vector<SourceFile>& files)
      : lab_(lab), files_(files), path_(lab.folder + "/mistakes.txt") {}

  std::vector<Mistake> read() {
    if (!std::filesystem::exists(path_)) return {};
    lines_ = read_lines(path_);
    while (at_ < lines_.size()) {
      const std::string& line = lines_[at_];
      if (line.rfind("== ", 0) == 0) {
        header();
      } else if (line.rfind("why: ", 0) == 0) {
        current().why = line.substr(5);
        ++at_;
      } else if (line.rfind("file: ", 0) == 0) {
        place();
      } else if (line == "from:") {
        replacement();
      } else if (line == "body:") {
        ++at_;
        body() = block();
      } else if (line.find_first_not_of(" \t") == std::string::npos || line[0] == '#') {
        ++at_;
      } else {
        refuse("neither == EXERCISE NAME, why:, file:, from:, to: nor body:");
      }
    }
    for (const Mistake& m : mistakes_) {
      if (m.why.empty() || m.bodies.empty()) refuse("mistake " + m.exercise + " " + m.name + " has no why: or changes nothing");
    }
    return mistakes_;
  }

 private:
  [[noreturn]] void refuse(const std::string& rule) const {
    fail(ErrorKind::kData, "labs", escaped_path(path_), ", line ", at_ + 1, ": ", rule);
  }
  Mistake& current() {
    if (mistakes_.empty()) refuse("a mistake begins with == EXERCISE NAME");
    return mistakes_.back();
  }
  std::string& body() {
    if (!file_) refuse("file: is missing");
    return current().bodies[file_->path][region_->key()];
  }

  void header() {
    std::istringstream words(lines_[at_].substr(3));
    Mistake m;
    words >> m.exercise >> m.name;
    m.line = at_ + 1;
    if (!lab_.find(m.exercise) || m.name.empty()) refuse("== is followed by an exercise of this lab and a name");
    mistakes_.push_back(m);
    file_ = nullptr;
    ++at_;
    // Most exercises have one region: then file: is not needed.
    const auto places = places_of(files_, m.exercise);
    if (places.size() == 1) file_ = places[0].first, region_ = places[0].second, begin_body();
  }

  void place() {
    std::istringstream words(lines_[at_].substr(6));
    std::string path;
    int number = 1;
    words >> path >> number;
    for (const auto& [file, region] : places_of(files_, current().exercise)) {
      if (file->path != path || region->number != number) continue;
      file_ = file, region_ = region;
      begin_body();
      ++at_;
      return;
    }
    refuse("exercise " + current().exercise + " has no region " + std::to_string(number) + " in " + path);
  }

  // The region's own text without indentation, which replacements then change.
  void begin_body() {
    std::string text;
    for (size_t i = region_->begin + 1; i < region_->end; ++i) text += trimmed_front(file_->lines[i]) + "\n";
    original_ = text;
    current().bodies[file_->path][region_->key()] = text;
  }

  // The indented lines that follow, without their indentation.
  std::string block() {
    std::string text;
    for (; at_ < lines_.size(); ++at_) {
      const std::string& line = lines_[at_];
      if (!line.empty() && line[0] != ' ' && line[0] != '\t') break;
      text += trimmed_front(line) + "\n";
    }
    while (text.size() >= 2 && text[text.size() - 2] == '\n') text.pop_back();
    return text;
  }

  void replacement() {
    const size_t where = at_++;
    std::string from = block();
    if (at_ >= lines_.size() || lines_[at_] != "to:") refuse("from: is followed by its lines and to:");
    ++at_;
    std::string to = block();
    if (!from.empty()) from.pop_back();  // the last line end: a part of a line may be replaced, too
    if (!to.empty()) to.pop_back();
    std::string& text = body();
    const size_t first = text.find(from);
    if (from.empty() || first == std::string::npos || text.find(from, first + 1) != std::string::npos) {
      at_ = where;
      refuse("the text of from: does not occur exactly once in region " + region_->key() + " of " + file_->path);
    }
    text.replace(first, from.size(), to);
  }

  const Lab& lab_;
  const std::vector<SourceFile>& files_;
  std::string path_, original_;
  Lines lines_;
  size_t at_ = 0;
  std::vector<Mistake> mistakes_;
  const SourceFile* file_ = nullptr;
  const Region* region_ = nullptr;
};

}  // namespace

std::vector<Mistake> read_mistakes(const Lab& lab, const std::vector<SourceFile>& files) {
  return MistakeReader(lab, files).read();
}

}  // namespace vitrail::labs
