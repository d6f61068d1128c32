// An append-only file: lines are added to the log of a run, after whatever it holds already.
#pragma once

#include <string>

namespace vitrail {

// Not thread-safe. The file is opened with O_APPEND and O_NOFOLLOW, so that lines of two processes never overwrite each other
// and a link that somebody put there is not followed; a FIFO, a device or a folder under that name is refused at once. Its
// descriptor is above 2, so that messages do not land in the log when standard error is closed.
class LogFile {
 public:
  // Creates the file if it is not there; half a line that a killed process left is ended first. Error(kIo) naming path and
  // reason.
  explicit LogFile(const std::string& path);
  ~LogFile();
  LogFile(const LogFile&) = delete;
  LogFile& operator=(const LogFile&) = delete;

  // Appends text and a line end, in one write where the system allows it; interrupted and short writes are continued.
  // Error(kIo) if the disk refuses.
  void append(const std::string& line);
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  int fd_ = -1;
};

}  // namespace vitrail
