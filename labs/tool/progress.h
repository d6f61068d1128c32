// What a student has done so far, kept on this machine alone: .labs/progress.json.
#pragma once

#include <map>
#include <string>

#include "labs/tool/catalog.h"

namespace vitrail::labs {

struct ExerciseProgress {
  int hints = 0;          // shown
  bool revealed = false;  // the reference was shown
  int64_t opened = 0;     // Unix time of the first run
  int64_t passed = 0;     // ... of the first run with all points; 0: not yet
};

class Progress {
 public:
  // Reads .labs/progress.json; a damaged file is put aside with a note, never fatal.
  Progress();
  ExerciseProgress& operator[](const std::string& exercise) { return of_[exercise]; }
  const std::map<std::string, ExerciseProgress>& all() const { return of_; }
  // Error(kIo) if the disk is full.
  void save() const;

 private:
  std::map<std::string, ExerciseProgress> of_;
};

// The hints of an exercise that were shown before, and the next one; all of them once it has passed, which is then not noted.
void show_hint(const Lab& lab, const std::string& exercise);
void reveal(const Lab& lab, const std::string& exercise);
// A line per lab: exercises passed, points, minutes from the first run to the last pass.
void show_status(const std::vector<Lab>& labs);

}  // namespace vitrail::labs
