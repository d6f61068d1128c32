// What a student's region may hold: C++ statements whose braces close, and nothing that reaches outside of it.
#pragma once

#include <string>

#include "labs/tool/source.h"

namespace vitrail::labs {

// "" if the lines begin .. end of a region may be built; else what is wrong with its line: a preprocessor directive, asm, a
// brace too many or too few, a comment or text that does not end.
std::string refusal(const Lines& lines, size_t begin, size_t end);

// The same for the HELPERS place, where #include of the standard library's headers is allowed.
std::string helpers_refusal(const Lines& lines, size_t begin, size_t end);

}  // namespace vitrail::labs
