// Pictures in folders: one folder a class, at the top or below train/, val/ and test/.
#pragma once

#include <string>

#include "data/sets/picture_files.h"

namespace vitrail {

// What `root` holds. A class is a sub-folder; its pictures lie in it at any depth. With a sub-folder train/ (training/), the
// parts are train/, val/ (valid/, validation/) and test/ (testing/), each with the same classes. A root that holds one folder
// and nothing else, as archives unpack, is passed through.
//
// Skipped, with a count in the notes: hidden entries (a dot in front, __MACOSX), files that are no pictures by their ending
// (or, without one, by their first bytes), pictures outside of the class folders. Links are followed; a folder is entered once
// per class, so links in a circle end. The order is that of the names, never that of the file system. Error(kIo) if a folder
// cannot be read; Error(kData) if there are no classes, a class has no picture, or the parts differ in their classes; with
// `collect` such sentences are gathered in `problems`, and only a folder without any picture is an error.
PictureList scan_folder(const std::string& root, bool collect = false);

// Whether a file of this name is taken as a picture: by its ending, whatever the case. Formats that are not decoded count too
// (GIF, TIFF): they are named when they are read, not passed over.
bool is_picture_name(const std::string& name);

}  // namespace vitrail
