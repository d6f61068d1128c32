// Walking through folders of pictures: what is there, in the order of the names.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace vitrail {

// What was passed over.
struct Skipped {
  int64_t hidden = 0, loops = 0;
  int64_t deep = 0;                 // folders further below a class folder than is looked
  std::vector<std::string> others;  // files that are no pictures
  std::vector<std::string> loose;   // pictures that belong to no class

  // "skipped 2 hidden entries, 3 files that are no pictures (a.txt, b.xml and 1 more)"; "" if nothing was.
  std::string sentence() const;
};

// One folder, not hidden entries: names sorted by their bytes. Error(kIo) if it cannot be read.
struct FolderContent {
  std::vector<std::string> folders, pictures;
};
FolderContent read_folder(const std::string& folder, Skipped& skipped);

// All pictures in and below `folder`, each folder entered once however many links lead to it.
std::vector<std::string> pictures_below(const std::string& folder, Skipped& skipped);

}  // namespace vitrail
