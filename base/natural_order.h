// Names in the order in which a person counts: class2 before class10.
#pragma once

#include <string>

namespace vitrail {

// Runs of digits are compared as numbers of any length, all other characters byte by byte; names that differ in leading zeros
// only ("a1", "a01") in byte order. A strict weak order, whatever the locale.
bool natural_less(const std::string& a, const std::string& b);

}  // namespace vitrail
