// Where the checkpoint files of other programs are, for the tests that compare with them if they are at hand.
#pragma once

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

namespace vitrail::testing {

// The path of `name` in the folder $VITRAIL_CHECKPOINTS, else ../shared/checkpoints ("" gives the folder with its slash).
// Empty, with a message, if it is not there.
inline std::string checkpoint_path(const std::string& name) {
  const char* folder = std::getenv("VITRAIL_CHECKPOINTS");
  const std::string path = std::string(folder != nullptr ? folder : "../shared/checkpoints") + "/" + name;
  if (std::filesystem::exists(path)) return path;
  MESSAGE("skipped: ", path, " is not there (VITRAIL_CHECKPOINTS)");
  return "";
}

}  // namespace vitrail::testing
