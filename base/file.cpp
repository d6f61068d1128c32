#include "base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/error.h"

namespace vitrail {
namespace {

[[noreturn]] void fail_io(const char* what, const std::string& path, int error) {
  fail(ErrorKind::kIo, "file", "cannot ", what, " ", escaped_path(path), ": ", std::strerror(error));
}

// A file descriptor that closes itself.
struct Descriptor {
  int fd;
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
  int release() {
    const int value = fd;
    fd = -1;
    return value;
  }
};

}  // namespace

InputFile::InputFile(const std::string& path) : path_(path) {
  // O_NONBLOCK: opening a FIFO without a writer must not hang.
  Descriptor file{::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC)};
  if (file.fd < 0) fail_io("open", path, errno);
  struct stat status {};
  if (::fstat(file.fd, &status) != 0) fail_io("look at", path, errno);
  check(!S_ISDIR(status.st_mode), ErrorKind::kIo, "file", "is a folder, not a file: ", escaped_path(path));
  check(S_ISREG(status.st_mode), ErrorKind::kIo, "file", "is no regular file: ", escaped_path(path));
  size_ = status.st_size;
  fd_ = file.release();
}

InputFile::~InputFile() { ::close(fd_); }

void InputFile::read_at(int64_t offset, void* to, int64_t bytes) const {
  auto* place = static_cast<uint8_t*>(to);
  while (bytes > 0) {
    const ssize_t count = ::pread(fd_, place, static_cast<size_t>(bytes), offset);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail_io("read", path_, errno);
    check(count > 0, ErrorKind::kData, "file", escaped_path(path_), " ends early: ", bytes, " bytes are missing at byte ",
          offset);
    place += count, offset += count, bytes -= count;
  }
}

std::vector<uint8_t> read_file(const std::string& path, int64_t max_bytes) {
  const InputFile file(path);
  check(file.size() <= max_bytes, ErrorKind::kData, "file", escaped_path(path), " is too large: ", file.size(),
        " bytes, at most ", max_bytes);
  std::vector<uint8_t> bytes(static_cast<size_t>(file.size()));
  file.read_at(0, bytes.data(), file.size());
  return bytes;
}

std::string read_text_file(const std::string& path, int64_t max_bytes) {
  const std::vector<uint8_t> bytes = read_file(path, max_bytes);
  return {bytes.begin(), bytes.end()};
}

}  // namespace vitrail
