// labs/labN/README.md: the parts that are inserted from lab.json, headers and regions, never typed.
//
//   <!-- lab:exercise 3.2 -->      points, minutes, needs, files, what to write, signatures
//   <!-- lab:table -->             the exercises of the lab as a table
//   <!-- lab:questions -->         the questions that only measuring answers
//   ...
//   <!-- lab:end -->
#pragma once

#include <string>
#include <vector>

#include "labs/tool/catalog.h"

namespace vitrail::labs {

// The handout with its inserted parts as they should be. Error(kData) for a part that does not end, an unknown kind, or a
// signature that its header does not have.
std::string refreshed_handout(const Lab& lab);

// What is wrong with a lab's handout: "" if nothing. Stale parts, an exercise without a part, a picture that is not there or
// has no text for those who cannot see it.
std::vector<std::string> handout_problems(const Lab& lab);

}  // namespace vitrail::labs
