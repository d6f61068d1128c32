// Where the checkpoint files of other programs are, for the tests that compare with them if they are at hand.
#pragma once

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

namespace vitrail::testing {

// The folder $VITRAIL_CHECKPOINTS, else ../shared/checkpoints; "", with a message, if it is not there.
inline std::string checkpoint_folder() {
  const char* folder = std::getenv("VITRAIL_CHECKPOINTS");
  const std::string path = folder ? folder : "../shared/checkpoints";
  if (std::filesystem::exists(path)) return path;
  MESSAGE("skipped: ", path, " is not there (VITRAIL_CHECKPOINTS)");
  return "";
}

}  // namespace vitrail::testing
