// The student's side: the files in mine/, what is taken from them, and what is said about them.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "labs/tool/build.h"

namespace vitrail::labs {

struct Answers {
  FileBodies bodies;
  std::map<std::string, std::string> refused;  // exercise -> why its region is not built
  std::vector<std::string> notes;              // about files, for instance changes outside of the regions
};

struct Taken {
  std::set<std::string> only;  // exercises to take; empty: all of the lab
  std::set<std::string> lent;  // exercises for which the framework's text stays
};

// The regions of `lab` from the files in `mine`. A missing file counts as not written. Regions of other labs that are blank in
// this tree, because it was exported so, are taken, too.
Answers read_answers(const Lab& lab, const std::vector<SourceFile>& files, const std::string& mine, const Taken& taken);

// All regions of one framework file that are blank in this tree, from `mine`.
Bodies answers_of_file(const SourceFile& file, const std::string& mine);

// Copies the blanks of a lab to `mine` where they are not there yet. Says which on standard output.
void start(const Lab& lab, const std::string& mine);
// Moves the lab's files in `mine` aside (mine/backup/labN-1, -2, ...) and starts anew.
void reset(const Lab& lab, const std::string& mine);

// What a student has who has done all labs up to this one: adds the framework's files with regions of later labs to `files`,
// and the blanks of these regions to `bodies`, but for those that lab.json says must be written before.
void blank_later_labs(const Lab& lab, const std::vector<Lab>& labs, std::vector<SourceFile>& files, FileBodies& bodies);

// An exercise of which a region is still lab::todo() in the student's files.
bool is_unfinished(const Lab& lab, const std::vector<SourceFile>& files, const std::string& mine, const std::string& exercise);

}  // namespace vitrail::labs
