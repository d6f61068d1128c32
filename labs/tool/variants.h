// One program that can do a lab in many ways: mutant schemata (Untch, Offutt & Harrold, "Mutation analysis using mutant
// schemata", 1993). A region holds the texts of all variants, and LAB_VARIANT chooses when the program starts:
//
//   if (lab::variant == 3) {
//     strides[i] = shape[i];
//   } else {
//     strides[i] = stride;
//   }
//
// Hence a hundred known mistakes cost one compilation of each file instead of a hundred.
#pragma once

#include <vector>

#include "labs/tool/splice.h"

namespace vitrail::labs {

// Variant k = 1, 2, ... of the program has variants[k - 1] in its regions; variant 0, and regions that a variant does not
// name, hold the reference.
FileBodies with_variants(const std::vector<SourceFile>& files, const std::vector<FileBodies>& variants);

}  // namespace vitrail::labs
