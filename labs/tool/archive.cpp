#include "labs/tool/archive.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <iostream>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "base/zip.h"
#include "base/zip_writer.h"
#include "labs/tool/student.h"

namespace vitrail::labs {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMaxEntry = int64_t{1} << 20;
const char* const kProgress = "progress.json";

std::string answers_path(const Lab& lab) { return "answers/lab" + std::to_string(lab.number) + ".md"; }

// Whether each "## question" is followed by some text before the next.
bool is_answered(const Lines& lines) {
  bool open = false;
  for (const std::string& line : lines) {
    if (line.rfind("## ", 0) == 0) {
      if (open) return false;
      open = true;
    } else if (line.find_first_not_of(" \t") != std::string::npos && line.rfind("#", 0) != 0) {
      open = false;
    }
  }
  return !open;
}

void check_name(const std::string& archive, const ZipEntry& entry, const std::vector<std::string>& listed) {
  const std::string where = escaped_path(archive) + ": entry " + quote(entry.name);
  const bool climbs =
      entry.name[0] == '/' || entry.name.find("..") != std::string::npos || entry.name.find('\\') != std::string::npos;
  check(!climbs, ErrorKind::kData, "labs", where, " leads out of the folder");
  check(entry.unix_mode == 0 || S_ISREG(entry.unix_mode) || (entry.unix_mode & S_IFMT) == 0, ErrorKind::kData, "labs", where,
        " is no plain file (a link?)");
  check(std::find(listed.begin(), listed.end(), entry.name) != listed.end(), ErrorKind::kData, "labs", where,
        " does not belong to these labs. Hint: make submit");
  check(entry.bytes <= kMaxEntry, ErrorKind::kData, "labs", where, " is too large: ", entry.bytes, " bytes");
}

}  // namespace

std::vector<std::string> listed_files(const std::vector<const Lab*>& labs) {
  std::vector<std::string> names{kProgress};
  for (const Lab* lab : labs) {
    names.insert(names.end(), lab->files.begin(), lab->files.end());
    if (!lab->questions.empty()) names.push_back(answers_path(*lab));
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

void write_submission(const std::vector<const Lab*>& labs, const std::string& mine, const std::string& path) {
  for (const Lab* lab : labs) {
    const std::vector<SourceFile> files = sources_of(*lab);
    for (const Exercise& e : lab->exercises) {
      if (is_unfinished(*lab, files, mine, e.id)) std::cout << "  note: " << e.id << " is not written yet\n";
    }
    const std::string answers = mine + "/" + answers_path(*lab);
    if (!lab->questions.empty() && (!fs::exists(answers) || !is_answered(read_lines(answers)))) {
      std::cout << "  note: a question in " << answers << " has no answer yet\n";
    }
  }
  std::vector<std::pair<std::string, std::string>> entries;
  for (const std::string& name : listed_files(labs)) {
    const std::string file = name == kProgress ? ".labs/progress.json" : mine + "/" + name;
    if (fs::exists(file)) entries.emplace_back(name, read_text_file(file, kMaxEntry));
  }
  const std::vector<uint8_t> bytes = zip_of(entries);
  write_file_atomically(path, {std::span<const uint8_t>(bytes)});
  std::cout << "  " << path << ": " << entries.size() << " files\n";
  for (const auto& [name, content] : entries) std::cout << "    " << name << "\n";
}

Submission::Submission(const std::vector<const Lab*>& labs, const std::string& path, const std::string& scratch) {
  const std::vector<std::string> listed = listed_files(labs);
  if (fs::is_directory(path)) {
    take_folder(listed, path);
    return;
  }
  const InputFile file(path);
  check(file.size() <= 64 * kMaxEntry, ErrorKind::kData, "labs", escaped_path(path),
        " is too large for a submission: ", file.size(), " bytes");
  const ByteSource source = source_of(file);
  const ZipArchive archive(source);
  for (const ZipEntry& entry : archive.entries()) check_name(path, entry, listed);
  folder_ = remove_ = scratch + "/submission-" + std::to_string(getpid());
  fs::remove_all(folder_);
  for (const ZipEntry& entry : archive.entries()) {
    std::string text(static_cast<size_t>(entry.bytes), '\0');
    ZipStream stream(source, entry);
    stream.read(text.data(), entry.bytes);
    if (entry.name == kProgress) progress_ = text;
    fs::create_directories(fs::path(folder_ + "/" + entry.name).parent_path());
    write_file_atomically(folder_ + "/" + entry.name, text);
  }
}

// The folder itself, or mine/ in it: what a student's repository looks like.
void Submission::take_folder(const std::vector<std::string>& listed, const std::string& path) {
  const bool whole_tree = fs::is_directory(path + "/mine");
  folder_ = whole_tree ? path + "/mine" : path;
  const std::string progress = path + (whole_tree ? "/.labs/" : "/") + kProgress, root = fs::canonical(folder_).string() + "/";
  bool any = false;
  for (const std::string& name : listed) {
    const std::string file = folder_ + "/" + name;
    if (!fs::exists(fs::symlink_status(file))) continue;
    any = true;
    std::error_code broken;
    const std::string target = fs::canonical(file, broken).string();
    check(!broken && target == root + name, ErrorKind::kData, "labs", escaped_path(file), " is a link, or lies behind one");
  }
  check(any, ErrorKind::kData, "labs", escaped_path(path),
        " holds none of the files of these labs. Hint: the folder is mine/, or one that holds it.");
  if (fs::is_regular_file(fs::symlink_status(progress))) progress_ = read_text_file(progress, kMaxEntry);
}

Submission::~Submission() {
  std::error_code ignored;
  if (!remove_.empty()) fs::remove_all(remove_, ignored);
}

}  // namespace vitrail::labs
