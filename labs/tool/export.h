// make labs-export: a tree for students, without history, in which later labs are blank.
#pragma once

#include <set>
#include <string>
#include <vector>

namespace vitrail::labs {

// Copies the files that git tracks to `out`, with the regions of all labs above `solved` blank, without the known mistakes and
// the labs' own proofs. labs/blank.txt lists the files with blanks: what is built in such a tree takes those regions from
// mine/. Error (kValue) if `out` is not empty; Error(kData) if a line of a blank region is still in it.
void export_tree(const std::string& out, int solved);

// Places in `tree` that hold lines of regions that are blank there: a line that occurs nowhere else in the framework, or two
// consecutive ones that do not.
std::vector<std::string> leaks(const std::string& tree, int solved);

}  // namespace vitrail::labs
