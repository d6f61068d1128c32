// write_file_atomically (base/file.h).
#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/file.h"

namespace vitrail {
namespace {

constexpr int kAttempts = 8;
constexpr size_t kMaxStem = 190;  // bytes kept of the target's name: a file name has at most 255

[[noreturn]] void fail_io(const char* what, const std::string& path, int error) {
  fail(ErrorKind::kIo, "file", "cannot ", what, " ", escaped_path(path), ": ", std::strerror(error));
}

std::string folder_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string hexadecimal(uint64_t value) {
  char digits[17];
  std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(value));
  return digits;
}

// Identifies the machine or container, the same for all of its processes: a hash (FNV-1a) of host name and machine-id(5).
const std::string& host_id() {
  static const std::string id = [] {
    char name[256] = "";
    ::gethostname(name, sizeof name - 1);
    std::string text = name;
    if (FILE* file = std::fopen("/etc/machine-id", "re")) {
      char machine[64] = "";
      if (std::fgets(machine, sizeof machine, file)) text += machine;
      std::fclose(file);
    }
    uint64_t hash = 14695981039346656037u;
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
    return hexadecimal(hash).substr(0, 8);
  }();
  return id;
}

uint64_t random_number() {
  uint64_t number = 0;
  if (::getrandom(&number, sizeof number, GRND_NONBLOCK) == sizeof number) return number;
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<uint64_t>(now.tv_nsec) << 32 ^ static_cast<uint64_t>(now.tv_sec) ^ reinterpret_cast<uintptr_t>(&number);
}

// Temporary files for `path` are named TARGET.tmp-HOST-PID-RANDOM, so that no two processes choose the same name, even on
// machines that share a disk. This returns the part before PID.
std::string temporary_stem(const std::string& path) {
  const size_t slash = path.rfind('/');
  const std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
  return name.substr(0, kMaxStem) + ".tmp-" + host_id() + "-";
}

// Removes temporary files that killed runs of this machine left. A file is locked (flock) while it is written, so a file that
// can be locked has no writer any more. Nothing is removed where locks are not supported. Files of other machines stay, since
// their locks may be invisible here.
template <class Rule>
void remove_leftovers(const std::string& folder, const Rule& is_leftover) {
  DIR* listing = ::opendir(folder.c_str());
  if (!listing) return;
  const int at = ::dirfd(listing);
  while (const dirent* entry = ::readdir(listing)) {
    if (!is_leftover(std::string_view(entry->d_name))) continue;
    const int fd = ::openat(at, entry->d_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) continue;
    struct stat status {};
    const bool ours = ::fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_uid == ::geteuid();
    if (ours && ::flock(fd, LOCK_EX | LOCK_NB) == 0) ::unlinkat(at, entry->d_name, 0);
    ::close(fd);
  }
  ::closedir(listing);
}

// Whether a name is of this machine's temporary files: TARGET.tmp-HOST-PID-RANDOM, whatever the target.
bool is_temporary(std::string_view name) {
  const std::string mark = ".tmp-" + host_id() + "-";
  const size_t at = name.rfind(mark);
  if (at == std::string_view::npos || at == 0) return false;
  const std::string_view rest = name.substr(at + mark.size());
  const size_t dash = rest.find('-');
  return dash != 0 && dash != std::string_view::npos && rest.find_first_not_of("0123456789") == dash &&
         rest.size() == dash + 17 && rest.find_first_not_of("0123456789abcdef", dash + 1) == std::string_view::npos;
}

// A new file in the target's folder. The destructor deletes it unless it was renamed.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& target) : target_(target) {
    const std::string stem = folder_of(target) + "/" + temporary_stem(target) + std::to_string(::getpid()) + "-";
    for (int attempt = 0; fd_ < 0 && attempt < kAttempts; ++attempt) {
      path_ = stem + hexadecimal(random_number());
      fd_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
      if (fd_ < 0 && errno != EEXIST && errno != EINTR) fail_io("create a file beside", target, errno);
      if (fd_ >= 0 && !lock()) ::close(std::exchange(fd_, -1));
    }
    if (fd_ < 0) fail_io("create a file beside", target, EEXIST);
  }
  ~TemporaryFile() {
    if (!renamed_) ::unlink(path_.c_str());
    ::close(fd_);
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  void write(std::span<const uint8_t> bytes) {
    while (!bytes.empty()) {
      const ssize_t written = ::write(fd_, bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) fail_io("write", target_, written == 0 ? ENOSPC : errno);
      bytes = bytes.subspan(static_cast<size_t>(written));
    }
  }

  // Writes the content to the disk (fsync) and gives the file the target's name. A failed fsync is not repeated: the kernel may
  // have dropped the pages, and the second call would report success. Some file systems report a failed write only on close, so
  // a duplicate of the descriptor is closed first; the original stays open, because the lock must last until the rename.
  void commit() {
    if (::fsync(fd_) != 0) fail_io("bring to the disk", target_, errno);
    const int copy = ::fcntl(fd_, F_DUPFD_CLOEXEC, 0);
    if (copy < 0 || (::close(copy) != 0 && errno != EINTR)) fail_io("close", target_, errno);
    if (::rename(path_.c_str(), target_.c_str()) != 0) fail_io("replace", target_, errno);
    renamed_ = true;
  }

 private:
  // False if another process locked or removed the new file, as a leftover, before this lock.
  bool lock() {
    if (::flock(fd_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) return false;
    struct stat status {};
    return ::fstat(fd_, &status) == 0 && status.st_nlink > 0;
  }

  std::string target_, path_;
  int fd_ = -1;
  bool renamed_ = false;
};

void sync_folder(const std::string& path) {
  const int fd = ::open(folder_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool synced = fd >= 0 && (::fsync(fd) == 0 || errno == EINVAL);
  const int error = errno;
  if (fd >= 0) ::close(fd);
  if (!synced) fail_io("bring to the disk the folder of", path, error);
}

}  // namespace

void write_file_atomically(const std::string& path, size_t pieces,
                           const std::function<std::span<const uint8_t>(size_t)>& piece) {
  struct stat status {};
  // The rename would replace a device by a regular file, and /dev/null is a common output path.
  check(::stat(path.c_str(), &status) != 0 || S_ISREG(status.st_mode), ErrorKind::kIo, "file", "cannot replace ",
        escaped_path(path), ": it is no regular file");
  remove_leftovers(folder_of(path), [stem = temporary_stem(path)](std::string_view name) { return name.starts_with(stem); });
  TemporaryFile file(path);
  for (size_t i = 0; i < pieces; ++i) file.write(piece(i));
  file.commit();
  sync_folder(path);
}

void write_file_atomically(const std::string& path, const std::vector<std::span<const uint8_t>>& pieces) {
  write_file_atomically(path, pieces.size(), [&](size_t i) { return pieces[i]; });
}

void write_file_atomically(const std::string& path, const std::string& text) {
  write_file_atomically(path, std::vector{std::span(reinterpret_cast<const uint8_t*>(text.data()), text.size())});
}

void remove_temporary_files(const std::string& folder) { remove_leftovers(folder, is_temporary); }

void rename_file(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) fail_io("replace", to, errno);
  sync_folder(to);
}

void remove_file(const std::string& path) {
  if (::unlink(path.c_str()) == 0) return sync_folder(path);
  if (errno != ENOENT) fail_io("remove", path, errno);
}

}  // namespace vitrail
