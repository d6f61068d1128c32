#include "data/sets/find_file.h"

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "base/text.h"

namespace vitrail {
namespace {

namespace fs = std::filesystem;

// Not through a link in a circle, not a name that is too long: what cannot be looked at is no file.
bool is_file(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

}  // namespace

void check_folder(const std::string& folder) {
  std::error_code error;
  const fs::file_status status = fs::status(folder, error);
  check(status.type() != fs::file_type::not_found, ErrorKind::kIo, "data", escaped_path(folder), ": there is no such folder");
  check(!error, ErrorKind::kIo, "data", escaped_path(folder), ": ", error.message());
  check(fs::is_directory(status), ErrorKind::kIo, "data", escaped_path(folder), ": this is no folder");
}

std::string find_file(const std::string& folder, const std::string& name) {
  const fs::path direct = fs::path(folder) / name;
  if (is_file(direct)) return direct.string();
  return is_file(direct / name) ? (direct / name).string() : "";
}

std::string find_one_of(const std::string& folder, const std::vector<std::string>& names, const std::string& hint) {
  check_folder(folder);
  for (const std::string& name : names) {
    for (const char* packing : {"", ".gz"}) {
      const std::string path = find_file(folder, name + packing);
      if (!path.empty()) return path;
    }
  }
  fail(ErrorKind::kIo, "data", escaped_path(folder), ": a file is missing: looked for ", listed(names, 2), ", plain or .gz. ",
       holds(folder), hint.empty() ? "" : " Hint: ", hint);
}

std::vector<std::string> names_in(const std::string& folder) {
  constexpr size_t kMost = 1000;
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end && names.size() < kMost; entry.increment(error))
    names.push_back(entry->path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

std::string holds(const std::string& folder) {
  const std::vector<std::string> names = names_in(folder);
  return names.empty() ? "It is empty." : "It holds " + listed(names, 2) + ".";
}

}  // namespace vitrail
