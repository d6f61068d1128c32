// make milestoneN: a program with the student's code in it, which draws a picture.
#pragma once

#include <string>

#include "labs/tool/student.h"

namespace vitrail::labs {

struct MilestoneOptions {
  std::string mine = "mine";  // "" : the reference alone
  std::set<std::string> lent;
  bool later_blank = false;  // of the reference: with the later labs blank, as for a student who does them in order
  std::string out;           // folder of the pictures
};

// Builds labs/labN/milestone.cpp with the student's regions; exercises that are not written yet are lent, and said so. Prints
// what the program prints. Returns its exit status; Error(kData) if the student's code does not compile.
int milestone(const Toolchain& tools, const Lab& lab, const MilestoneOptions& options);

}  // namespace vitrail::labs
