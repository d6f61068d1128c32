#include "base/log_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"

namespace vitrail {
namespace {

[[noreturn]] void fail_log(const char* what, const std::string& path, int error) {
  fail(ErrorKind::kIo, "log", "cannot ", what, " ", escaped_path(path), ": ",
       error == ELOOP ? "it is a link, which is not followed" : std::strerror(error));
}

// True if the last line has no line end: a killed run may have left half a line.
bool ends_within_line(const std::string& path) {
  const InputFile file(path);
  char last = '\n';
  if (file.size() > 0) file.read_at(file.size() - 1, &last, 1);
  return last != '\n';
}

// A second name (a hard link) would send the lines into another file, as a symbolic link does.
bool regular_with_one_name(int fd) {
  struct stat status {};
  return ::fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_nlink == 1;
}

}  // namespace

LogFile::LogFile(const std::string& path) : path_(path) {
  // O_NONBLOCK: a FIFO that nobody reads must not hang.
  int opened = -1;
  do opened = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0644);
  while (opened < 0 && errno == EINTR);
  if (opened < 0) fail_log("open", path, errno);
  fd_ = opened > 2 ? opened : ::fcntl(opened, F_DUPFD_CLOEXEC, 3);
  const int error = errno;
  if (opened <= 2) ::close(opened);
  if (fd_ < 0) fail_log("open", path, error);
  if (!regular_with_one_name(fd_)) {
    ::close(fd_);
    fail(ErrorKind::kIo, "log", "is no regular file of one name: ", escaped_path(path));
  }
  try {
    if (ends_within_line(path)) append("");
  } catch (...) {
    ::close(fd_);
    throw;
  }
}

LogFile::~LogFile() { ::close(fd_); }

void LogFile::append(const std::string& line) {
  const std::string text = line + "\n";
  for (size_t done = 0; done < text.size();) {
    const ssize_t written = ::write(fd_, text.data() + done, text.size() - done);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) fail_log("write", path_, written == 0 ? ENOSPC : errno);
    done += static_cast<size_t>(written);
  }
}

}  // namespace vitrail
