// Known mistakes of a lab, labs/labN/mistakes.txt: what people write instead, and why it is wrong.
//
//   == 1.1 own-extent
//   why: an axis jumps over what follows it, not over itself
//   file: tensor/shape.cpp
//   from:
//     strides[i] = stride;
//     stride *= shape[i];
//   to:
//     stride *= shape[i];
//     strides[i] = stride;
//
// from/to replaces text inside a region (spaces at the begin of lines do not count; it must occur exactly once), `body:` the
// whole region. Several file: parts and several from/to pairs may follow each other; `file: PATH 2` means the second region of
// this exercise in that file.
#pragma once

#include <string>
#include <vector>

#include "labs/tool/catalog.h"
#include "labs/tool/splice.h"

namespace vitrail::labs {

struct Mistake {
  std::string exercise, name, why;
  size_t line = 0;  // in mistakes.txt
  FileBodies bodies;
};

// Error(kData) naming file, line and rule, also if a text to replace does not occur exactly once in its region.
std::vector<Mistake> read_mistakes(const Lab& lab, const std::vector<SourceFile>& files);

}  // namespace vitrail::labs
