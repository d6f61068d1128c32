// The log of a run: one line of JSON per epoch.
#pragma once

#include <cstdio>
#include <string>

namespace vitrail {

// Every line is on its way to the disk before append() returns; a full disk is an Error(kIo), not silence.
class EpochLog {
 public:
  // Starts the file anew. An empty path: nothing is written.
  explicit EpochLog(const std::string& path);
  ~EpochLog();
  EpochLog(const EpochLog&) = delete;
  EpochLog& operator=(const EpochLog&) = delete;

  void append(const std::string& line);

 private:
  std::string path_;
  std::FILE* file_ = nullptr;
};

}  // namespace vitrail
