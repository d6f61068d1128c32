#include "data/sets/walk.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string_view>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "data/sets/folder.h"

namespace vitrail {
namespace {

namespace fs = std::filesystem;

constexpr int kDeepest = 64;  // folders below a class folder

bool is_hidden(const std::string& name) { return name.starts_with('.') || name == "__MACOSX"; }

// A file without an ending says by its first bytes what it is.
bool begins_as_picture(const std::string& path) {
  constexpr std::string_view kBeginnings[] = {"\x89PNG", "\xff\xd8\xff", "GIF8", "BM",   "RIFF", "II*",
                                              "MM",      "P2\n",         "P3\n", "P5\n", "P6\n"};
  try {
    const InputFile file(path);
    std::string head(static_cast<size_t>(std::min<int64_t>(file.size(), 4)), '\0');
    file.read_at(0, head.data(), static_cast<int64_t>(head.size()));
    return std::any_of(std::begin(kBeginnings), std::end(kBeginnings), [&](std::string_view b) { return head.starts_with(b); });
  } catch (const Error&) {
    return false;
  }
}

bool is_picture(const std::string& path, const std::string& name) {
  const bool has_ending = name.find('.') != std::string::npos;
  return has_ending ? is_picture_name(name) : begins_as_picture(path);
}

std::string counted(int64_t count, const char* one, const char* many) { return cat(count, " ", count == 1 ? one : many); }

// Which folder it is, whatever path led to it.
using FolderId = std::pair<uint64_t, uint64_t>;

void collect(const std::string& folder, int depth, std::set<FolderId>& entered, Skipped& skipped,
             std::vector<std::string>& pictures) {
  struct stat status {};
  check(::stat(folder.c_str(), &status) == 0, ErrorKind::kIo, "data", escaped_path(folder), ": ", std::strerror(errno));
  if (depth > kDeepest) {
    ++skipped.deep;
    return;
  }
  if (!entered.insert({status.st_dev, status.st_ino}).second) {
    ++skipped.loops;
    return;
  }
  const FolderContent content = read_folder(folder, skipped);
  for (const std::string& name : content.pictures) pictures.push_back(folder + "/" + name);
  for (const std::string& name : content.folders) collect(folder + "/" + name, depth + 1, entered, skipped, pictures);
}

}  // namespace

bool is_picture_name(const std::string& name) {
  static const std::set<std::string> endings = {"jpg", "jpeg", "jpe", "jfif", "png", "webp", "bmp",  "dib", "ppm",
                                                "pgm", "pbm",  "pnm", "gif",  "tif", "tiff", "heic", "avif"};
  std::string ending = name.substr(std::min(name.size(), name.rfind('.') + 1));
  for (char& c : ending) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return name.find('.') != std::string::npos && endings.contains(ending);
}

std::string Skipped::sentence() const {
  std::vector<std::string> parts;
  if (hidden > 0) parts.push_back(counted(hidden, "hidden entry", "hidden entries"));
  if (!others.empty())
    parts.push_back(counted(static_cast<int64_t>(others.size()), "file that is no picture", "files that are no pictures") +
                    " (" + listed(others) + ")");
  if (!loose.empty())
    parts.push_back(counted(static_cast<int64_t>(loose.size()), "picture outside of the class folders",
                            "pictures outside of the class folders") +
                    " (" + listed(loose) + ")");
  if (loops > 0)
    parts.push_back(counted(loops, "link to a folder that was seen already", "links to folders that were seen already"));
  if (deep > 0)
    parts.push_back(cat(counted(deep, "folder", "folders"), " more than ", kDeepest, " levels below the class folder"));
  std::string sentence;
  for (const std::string& part : parts) sentence += (sentence.empty() ? "skipped " : ", ") + part;
  return sentence;
}

FolderContent read_folder(const std::string& folder, Skipped& skipped) {
  std::error_code error;
  std::vector<std::string> names;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error))
    names.push_back(entry->path().filename().string());
  check(!error, ErrorKind::kIo, "data", escaped_path(folder), ": ", error.message());
  std::sort(names.begin(), names.end());
  FolderContent content;
  for (const std::string& name : names) {
    const std::string path = folder + "/" + name;
    if (is_hidden(name)) {
      ++skipped.hidden;
      continue;
    }
    std::error_code unknown;  // a link that leads nowhere, or in a circle: named when the picture is opened
    const fs::file_status status = fs::status(path, unknown);
    const bool file = fs::is_regular_file(status) || (!fs::exists(status) && is_picture_name(name));
    if (fs::is_directory(status)) {
      content.folders.push_back(name);
    } else if (file && is_picture(path, name)) {
      content.pictures.push_back(name);
    } else {
      skipped.others.push_back(name);
    }
  }
  return content;
}

std::vector<std::string> pictures_below(const std::string& folder, Skipped& skipped) {
  std::set<FolderId> entered;
  std::vector<std::string> pictures;
  collect(folder, 0, entered, skipped, pictures);
  return pictures;
}

}  // namespace vitrail
