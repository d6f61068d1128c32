// The log of a run: one line of JSON per epoch.
#pragma once

#include <optional>
#include <string>

#include "base/log_file.h"

namespace vitrail {

// Lines are added at the end of the file; what stands there is never cut off. Every line has been given to the system when
// append() returns.
class EpochLog {
 public:
  // Makes the file if it is missing. An empty path: nothing is written. Error(kIo) if it cannot be opened, is a link, or is
  // no regular file.
  explicit EpochLog(const std::string& path);

  // Error(kIo) if the line cannot be written whole: a full disk is not silence.
  void append(const std::string& line);

 private:
  std::optional<LogFile> file_;
};

}  // namespace vitrail
