// Source files with marked regions. A region is what a student writes:
//
//   // LAB 1.4 BEGIN  what to write, in one line
//   ...
//   // LAB 1.4 END
//
// Both marks stand alone on their lines, 2 to 40 lines apart. An exercise may have several regions in a file; they are
// numbered. A student's file also has a place for functions and #include <...> of his own: // LAB HELPERS BEGIN ... // LAB
// HELPERS END.
#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <vector>

namespace vitrail::labs {

using Lines = std::vector<std::string>;

// The lines of a text file. A byte order mark and the carriage returns of Windows are dropped. Error(kData) if it holds NUL
// bytes or is larger than 4 MiB; Error(kIo) if it cannot be read.
Lines read_lines(const std::string& path);
std::string joined(const Lines& lines, size_t begin, size_t end);

struct Region {
  std::string exercise;       // "1.4", or "HELPERS"
  int number = 1;             // of the regions of this exercise in the file
  std::string task;           // what stands behind BEGIN
  size_t begin = 0, end = 0;  // line numbers of the two marks, counted from 0

  std::string key() const { return exercise + "#" + std::to_string(number); }
  int lab() const;  // 1 for 1.4; -1 for HELPERS
};

struct Marked {
  std::vector<Region> regions;
  std::string problem;  // the first rule that the marks break, with its line: "line 12: ..."; "" if there is none
};

// Regions whose marks are not well formed are left out.
Marked regions_of(const Lines& lines);

struct SourceFile {
  std::string path;
  Lines lines;
  std::vector<Region> regions;
};

// A framework file: Error(kData) naming path and line if its marks break a rule (including the 2 to 40 lines).
SourceFile read_source(const std::string& path);

// Whether `which` holds the exercise, or its lab as a whole ("1" stands for 1.1, 1.2, ...).
bool chosen(const std::set<std::string>& which, const std::string& exercise);

// The line behind which HELPERS belongs: that of the last #include.
size_t helpers_line(const Lines& lines);

// The file as a student gets it: regions of `which` hold lab::todo(), and the HELPERS place is there.
std::string student_copy(const SourceFile& file, const std::set<std::string>& which);
// The file with blank regions and nothing else changed, as it stands in an exported tree.
std::string blank_copy(const SourceFile& file, const std::set<std::string>& which);

}  // namespace vitrail::labs
