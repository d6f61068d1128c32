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

std::string folder_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

void write_all(int fd, std::span<const uint8_t> bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail_io("write", path, errno);
    if (written == 0) fail_io("write", path, ENOSPC);
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
}

// Writes everything to the temporary file and brings it to the disk. A failed fsync is not tried again: the kernel may have
// dropped the pages, and a second one would report success.
void write_temporary(const std::string& temporary, const std::vector<std::span<const uint8_t>>& pieces,
                     const std::string& path) {
  Descriptor file{::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644)};
  if (file.fd < 0) fail_io("create a file beside", path, errno);
  for (const auto& piece : pieces) write_all(file.fd, piece, path);
  if (::fsync(file.fd) != 0) fail_io("bring to the disk", path, errno);
  if (::close(file.release()) != 0) fail_io("close", path, errno);
}

void sync_folder(const std::string& path) {
  const Descriptor folder{::open(folder_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (folder.fd < 0 || (::fsync(folder.fd) != 0 && errno != EINVAL)) fail_io("bring to the disk the folder of", path, errno);
}

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

void write_file_atomically(const std::string& path, const std::vector<std::span<const uint8_t>>& pieces) {
  struct stat status {};
  // Renaming over a device would take it from the system: /dev/null is a path that people do give.
  check(::stat(path.c_str(), &status) != 0 || S_ISREG(status.st_mode), ErrorKind::kIo, "file", "cannot replace ",
        escaped_path(path), ": it is no regular file");
  const std::string temporary = path + ".tmp." + std::to_string(::getpid());
  ::unlink(temporary.c_str());  // left by a process of this number that was killed
  try {
    write_temporary(temporary, pieces, path);
    if (::rename(temporary.c_str(), path.c_str()) != 0) fail_io("replace", path, errno);
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
  sync_folder(path);
}

void write_file_atomically(const std::string& path, const std::string& text) {
  write_file_atomically(path, {std::span(reinterpret_cast<const uint8_t*>(text.data()), text.size())});
}

}  // namespace vitrail
