// make submit: an archive with exactly a lab's files and answers; and how grading reads one.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "labs/tool/catalog.h"

namespace vitrail::labs {

// The names that an archive of these labs may hold: the labs' files, the answers, progress.json.
std::vector<std::string> listed_files(const std::vector<const Lab*>& labs);

// Writes the archive. Error(kValue) if a question was left without an answer, Error(kIo) naming the file if the disk is full.
void write_submission(const std::vector<const Lab*>& labs, const std::string& mine, const std::string& path);

// A folder with the submission's files, taken from a folder (mine/, or one that holds mine/) or an archive. Files of an archive
// are written below `scratch`; nothing else is, and the folder disappears with this object. Error(kData) naming the entry for
// "..", absolute paths, links, files that are not listed, entries of more than 1 MiB, or a damaged archive.
class Submission {
 public:
  Submission(const std::vector<const Lab*>& labs, const std::string& path, const std::string& scratch);
  ~Submission();
  Submission(const Submission&) = delete;
  Submission& operator=(const Submission&) = delete;
  const std::string& folder() const { return folder_; }      // to be used as mine/
  const std::string& progress() const { return progress_; }  // the text of progress.json, "" if there is none

 private:
  void take_folder(const std::vector<std::string>& listed, const std::string& path);

  std::string folder_, remove_, progress_;
};

}  // namespace vitrail::labs
