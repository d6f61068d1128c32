// A framework file in which regions are replaced, under #line, so that compilers and sanitizers speak of the student's file.
#pragma once

#include <map>
#include <string>

#include "labs/tool/source.h"

namespace vitrail::labs {

using Bodies = std::map<std::string, std::string>;  // region key -> text, with #line where it is somebody's file
using FileBodies = std::map<std::string, Bodies>;   // path of a framework file -> its replaced regions

// The file's text with its regions from `bodies`; a region without body keeps the framework's text. The body of "HELPERS#1"
// follows the last #include.
std::string spliced(const SourceFile& file, const Bodies& bodies);

// The lines between the marks of a region of the file `path`.
std::string body_of(const std::string& path, const Lines& lines, const Region& region);
// A body that says that the exercise is not written, at the place where it should be.
std::string todo_body(const std::string& path, const Region& region);
// A body that says why the exercise cannot be built.
std::string broken_body(const std::string& exercise, const std::string& reason);

}  // namespace vitrail::labs
