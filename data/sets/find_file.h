// Looking for the files of a data set in a folder that a person unpacked: under which names they come, and what lies there
// instead where they are missing.
#pragma once

#include <string>
#include <vector>

namespace vitrail {

// Throws Error(kIo) with the system's reason unless `folder` is a folder.
void check_folder(const std::string& folder);

// The path of the regular file `name` in `folder`; "" if there is none. Kaggle packs each file into a folder of the file's
// own name: folder/name/name is found too.
std::string find_file(const std::string& folder, const std::string& name);

// The first of `names` that exists, each also with ".gz" at its end. Error(kIo) with the names looked for, the names that the
// folder holds, and `hint`.
std::string find_one_of(const std::string& folder, const std::vector<std::string>& names, const std::string& hint = "");

// The names of what the folder holds, sorted; no more than 1000.
std::vector<std::string> names_in(const std::string& folder);

// "It holds a, b, c and 4 more." or "It is empty."
std::string holds(const std::string& folder);

}  // namespace vitrail
