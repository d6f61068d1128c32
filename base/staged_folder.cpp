#include "base/staged_folder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "base/error.h"
#include "base/file.h"

namespace vitrail {

namespace {

namespace fs = std::filesystem;

constexpr int kAttempts = 64;

[[noreturn]] void fail_io(const char* what, const std::string& path, int error) {
  fail(ErrorKind::kIo, "file", "cannot ", what, " ", escaped_path(path), ": ", std::strerror(error));
}

// "a/b/" -> "a/b"
std::string without_slashes(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

// Exchanges the names of two folders at once. False where the file system cannot.
bool swap_names(const std::string& a, const std::string& b) {
  return ::renameat2(AT_FDCWD, a.c_str(), AT_FDCWD, b.c_str(), RENAME_EXCHANGE) == 0;
}

}  // namespace

StagedFolder::StagedFolder(const std::string& target) : target_(without_slashes(target)) {
  std::error_code error;
  const fs::path above = fs::path(target_).parent_path();
  if (!above.empty()) fs::create_directories(above, error);
  if (error) fail_io("make the folder", above.string(), error.value());
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    path_ = cat(target_, ".tmp-", ::getpid(), "-", attempt);
    if (::mkdir(path_.c_str(), 0755) == 0) return;
    if (errno != EEXIST) break;
  }
  const int reason = errno;
  path_.clear();
  fail_io("make a folder beside", target_, reason);
}

StagedFolder::~StagedFolder() {
  std::error_code ignored;
  if (!path_.empty()) fs::remove_all(path_, ignored);
}

void StagedFolder::publish() {
  std::error_code ignored;
  if (!fs::exists(target_, ignored)) {
    rename_file(path_, target_);
    path_.clear();
    return;
  }
  if (swap_names(path_, target_)) return;  // what had the name is at path_ now, and the destructor removes it
  const std::string aside = path_ + "-old";
  rename_file(target_, aside);
  try {
    rename_file(path_, target_);
  } catch (const Error&) {
    ::rename(aside.c_str(), target_.c_str());
    throw;
  }
  path_ = aside;
}

}  // namespace vitrail
