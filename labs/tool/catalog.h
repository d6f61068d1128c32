// The labs of this tree: labs/labN/lab.json, checked rule by rule, with the regions that belong to them.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "labs/tool/source.h"

namespace vitrail::labs {

struct Signature {
  std::string header;              // "tensor/shape.h"
  std::vector<std::string> names;  // functions declared there
};

struct Exercise {
  std::string id, title;
  int points = 0, minutes = 0;
  std::vector<std::string> needs;  // exercises without which its tests cannot pass
  std::vector<std::string> hints;  // three, from a question to nearly the answer
  std::vector<Signature> signatures;
};

struct Lab {
  int number = 0;
  std::string folder, title;
  int seconds = 5;    // processor time that the tests of one exercise may take
  int stack_mib = 0;  // their stack; 0: as it is. A small one shows recursion over a graph by a short chain
  std::vector<std::string> files;
  std::vector<Exercise> exercises;
  std::vector<std::string> written_before;  // exercises of later labs without which nothing of this one runs
  std::string milestone;                    // one line: what the milestone shows
  std::vector<std::string> questions;

  const Exercise* find(const std::string& id) const;  // null if it has no such exercise
  int points() const;
};

// Reads labs/labN/lab.json. Error(kData) naming file, key and rule.
Lab load_lab(const std::string& folder);
// All labs below `root` ("labs"), by number.
std::vector<Lab> load_labs(const std::string& root);

// "3.2": the lab with that exercise. Error(kValue) with the list of all exercises.
const Lab& lab_of_exercise(const std::vector<Lab>& labs, const std::string& exercise);
const Lab& lab_of_number(const std::vector<Lab>& labs, int number);
// "1,3" or "1.2,3.1" or "" -> the words; Error(kValue) with the list if one names neither a lab nor an exercise.
std::set<std::string> chosen_of(const std::vector<Lab>& labs, const std::string& words);

// The framework files of a lab with all their regions. Error(kData) if an exercise has no region, or a region no exercise.
std::vector<SourceFile> sources_of(const Lab& lab);

// Whether the files hold the reference of an exercise; an exported tree holds lab::todo() instead.
bool holds_reference(const std::vector<SourceFile>& files, const std::string& exercise);

// The regions of one exercise: path and region.
std::vector<std::pair<const SourceFile*, const Region*>> places_of(const std::vector<SourceFile>& files,
                                                                   const std::string& exercise);

}  // namespace vitrail::labs
