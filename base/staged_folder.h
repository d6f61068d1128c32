// A folder that appears whole or not at all: its files are written into a folder beside it, which then gets its name.
#pragma once

#include <string>

namespace vitrail {

class StagedFolder {
 public:
  // Makes TARGET.tmp-PID-NUMBER beside the target, and the folders above it. Error(kIo) naming the path and the system's
  // reason.
  explicit StagedFolder(const std::string& target);
  // Removes the folder and its files unless it was published.
  ~StagedFolder();
  StagedFolder(const StagedFolder&) = delete;
  StagedFolder& operator=(const StagedFolder&) = delete;

  const std::string& path() const { return path_; }
  std::string file(const std::string& name) const { return path_ + "/" + name; }

  // Gives it the target's name. A folder that had it is exchanged in the same moment and then removed with all that it holds.
  // Error(kIo) as above; then the target is as it was.
  void publish();

 private:
  std::string target_, path_;
};

}  // namespace vitrail
