// Files of the archives in ../shared/data.
#pragma once

#include <cstring>
#include <map>
#include <string>

#include "tests/support/data_test.h"

namespace vitrail::testing {

using Files = std::map<std::string, Bytes>;

// The regular files of a tar archive by name: headers of 512 bytes (name at 0, size in octal at 124, type at 156), each
// followed by the content in whole blocks.
inline Files untar(const Bytes& tar) {
  Files files;
  for (size_t at = 0; at + 512 <= tar.size() && tar[at] != 0;) {
    const auto* header = reinterpret_cast<const char*>(tar.data() + at);
    const std::string name(header, strnlen(header, 100));
    const size_t size = std::stoul(std::string(header + 124, 11), nullptr, 8);
    const auto begin = tar.begin() + static_cast<std::ptrdiff_t>(at + 512);
    if (header[156] == '0' || header[156] == 0) files[name] = Bytes(begin, begin + static_cast<std::ptrdiff_t>(size));
    at += 512 + (size + 511) / 512 * 512;
  }
  return files;
}

// The conformance files "images/...": of the folder $VITRAIL_IMAGES, else of the archive image-conformance.tar; none, with a
// message, where both are absent.
inline const Files& conformance() {
  static const Files files = [] {
    namespace fs = std::filesystem;
    if (const char* folder = std::getenv("VITRAIL_IMAGES"); folder != nullptr && fs::is_directory(folder)) {
      Files found;
      for (const auto& entry : fs::recursive_directory_iterator(folder))
        if (entry.is_regular_file())
          found["images/" + fs::relative(entry.path(), folder).string()] = read_file(entry.path().string());
      return found;
    }
    const std::string path = real_data("image-conformance.tar");
    if (fs::exists(path)) return untar(read_file(path));
    MESSAGE("skipped: ", path, " is not there");
    return Files{};
  }();
  return files;
}

// The conformance files of a folder whose names end so, without the folder.
inline Files suite(const std::string& folder, const std::string& ending) {
  Files result;
  for (const auto& entry : conformance()) {
    const std::string& name = entry.first;
    if (name.find("images/" + folder + "/") == 0 && name.ends_with(ending))
      result[name.substr(name.rfind('/') + 1)] = entry.second;
  }
  CHECK((conformance().empty() || !result.empty()));
  return result;
}

}  // namespace vitrail::testing
