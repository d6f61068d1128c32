// Inputs that once failed, kept outside the repository: the folder in VITRAIL_CASES.
#pragma once

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

namespace vitrail::testing {

// The file or folder `name` ("numerics/trilu_k.safetensors") below VITRAIL_CASES; if it is missing, prints that the test is
// skipped and returns an empty path.
inline std::filesystem::path case_path(const std::string& name) {
  const char* folder = std::getenv("VITRAIL_CASES");
  const std::filesystem::path path = folder ? std::filesystem::path(folder) / name : std::filesystem::path();
  if (folder && std::filesystem::exists(path)) return path;
  MESSAGE("skipped: " << name << " is not below VITRAIL_CASES");
  return {};
}

}  // namespace vitrail::testing
