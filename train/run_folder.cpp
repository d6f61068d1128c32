#include "train/run_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/error.h"
#include "base/file.h"
#include "models/weights/adapter.h"
#include "models/weights/save.h"
#include "train/checkpoint.h"

namespace vitrail {

namespace {

namespace fs = std::filesystem;

void make_folder(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  check(!error, ErrorKind::kIo, "train", escaped(path, 200), " cannot be made: ", error.message(), ".");
}

// Above 2: with standard error closed, messages must not land in it.
int open_lock(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0644);
  if (fd < 0 || fd > STDERR_FILENO) return fd;
  const int higher = ::fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1), error = errno;
  ::close(fd);
  errno = error;
  return higher;
}

// Whether the path still leads to this file: a run that ended may have removed the one that was opened.
bool still_there(int fd, const std::string& path) {
  struct stat opened {
  }, named{};
  return ::fstat(fd, &opened) == 0 && ::lstat(path.c_str(), &named) == 0 && opened.st_ino == named.st_ino &&
         opened.st_dev == named.st_dev;
}

// A locked descriptor. File systems without locks give an unlocked one.
int lock(const std::string& path, const std::string& folder) {
  for (int attempt = 0;; ++attempt) {
    const int fd = open_lock(path);
    check(fd >= 0, ErrorKind::kIo, "train", escaped(path, 200), " cannot be opened: ", std::strerror(errno), ".");
    int locked = ::flock(fd, LOCK_EX | LOCK_NB);
    while (locked != 0 && errno == EINTR) locked = ::flock(fd, LOCK_EX | LOCK_NB);
    const bool busy = locked != 0 && errno == EWOULDBLOCK;
    if (!busy && (still_there(fd, path) || attempt == 100)) return fd;
    ::close(fd);
    check(!busy, ErrorKind::kValue, "train", "another run is writing into ", escaped(folder, 200), ". Hint: another --out.");
  }
}

}  // namespace

void RunFolder::check_free(const std::string& path, bool replace) {
  if (replace) return;
  const bool run = has_checkpoint(path);
  std::string found;
  std::error_code ignored;
  for (const char* name : {kAdapterFile, kBestFile, kPreviousFile, kCheckpointFile, kModelFile})  // the last one is named
    if (fs::exists(fs::path(path) / name, ignored)) found = name;
  check(found.empty(), ErrorKind::kValue, "train", escaped(path, 200), " holds a model already: ", found,
        ". Hint: another --out, ", run ? "--resume to go on with that run, " : "", "or --force to replace it.");
}

RunFolder::RunFolder(const std::string& path, bool replace) : path_(path), lock_path_(path + "/run.lock") {
  check_free(path, replace);
  make_folder(path);
  fd_ = lock(lock_path_, path);
  try {
    check_free(path, replace);  // another run may have ended in the meantime
    remove_temporary_files(path);
  } catch (...) {
    ::close(fd_);
    throw;
  }
}

RunFolder::~RunFolder() {
  ::unlink(lock_path_.c_str());
  ::close(fd_);
}

void RunFolder::describe(const std::string& json) const { write_file_atomically(file("run.json"), json + "\n"); }

}  // namespace vitrail
