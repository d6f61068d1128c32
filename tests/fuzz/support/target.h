// What the fuzz targets of tests/fuzz share. A target reads bytes from a stranger: it may refuse them with vitrail::Error and
// nothing else. It must not crash, hang, or take more memory than the limit here.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>

#include "base/error.h"
#include "tensor/storage.h"

namespace vitrail::fuzz {

template <class Read>
int refuse_or_read(Read read) {
  static const bool limited = (set_memory_limit(int64_t{256} << 20), true);
  try {
    if (limited) read();
  } catch (const Error&) {
  }
  return 0;
}

inline std::span<const uint8_t> bytes_of(const uint8_t* data, size_t size) { return {data, size}; }
inline std::string text_of(const uint8_t* data, size_t size) { return {reinterpret_cast<const char*>(data), size}; }

// For readers that want a path: a folder of this process, removed at its end.
class Scratch {
 public:
  Scratch() : folder_(std::filesystem::temp_directory_path() / ("vitrail_fuzz_" + std::to_string(getpid()))) {
    std::filesystem::create_directories(folder_);
  }
  ~Scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  std::string folder() const { return folder_.string(); }
  // The path of a file with these bytes.
  std::string write(const std::string& name, const uint8_t* data, size_t size) const {
    const std::string path = (folder_ / name).string();
    std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
    return path;
  }

 private:
  std::filesystem::path folder_;
};

}  // namespace vitrail::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);
