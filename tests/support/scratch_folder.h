// Helpers of the tests that read and write files.
#pragma once

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <string>

#include "base/error.h"

namespace vitrail::testing {

// A new empty folder, removed with all its content at the end of the test.
class ScratchFolder {
 public:
  // In the folder for temporary files, or in `parent` if that is a folder where files can be made.
  explicit ScratchFolder(const char* parent = nullptr) {
    const bool given = parent != nullptr && access(parent, W_OK) == 0;
    std::string name = ((given ? parent : std::filesystem::temp_directory_path()) / "vitrail-test-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder");
    path_ = name;
  }
  ~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  std::string file(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }
  // How many entries the folder has: leftovers of a failed write would show.
  int64_t entries() const {
    return std::distance(std::filesystem::directory_iterator(path_), std::filesystem::directory_iterator());
  }

 private:
  std::string path_;
};

inline std::string content_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

inline void put_content(const std::string& path, const std::string& content) {
  std::ofstream(path, std::ios::binary) << content;
}

// The Error that fn throws; nothing if it throws none. Any other exception is the test's failure.
inline std::optional<Error> error_of(const std::function<void()>& fn) {
  try {
    fn();
  } catch (const Error& error) {
    return error;
  }
  return std::nullopt;
}

// True if fn throws an Error of this kind whose text has `part` in it.
inline bool refuses(const std::function<void()>& fn, ErrorKind kind, const std::string& part) {
  const auto error = error_of(fn);
  return error && error->kind() == kind && std::string(error->what()).find(part) != std::string::npos;
}

}  // namespace vitrail::testing
