// Strict parsing of numbers from flags and environment variables: the whole text must be the number, and a value out of range
// is refused, never clamped.
#pragma once

#include <cstdint>
#include <string>

namespace vitrail {

// `text` as a whole number of [low, high]. Error(kValue) naming `name`, the range and the text.
int64_t parse_integer(const char* op, const std::string& name, const std::string& text, int64_t low, int64_t high);
// `text` as a finite number in decimal notation. Error(kValue) naming `name` and the text.
double parse_number(const char* op, const std::string& name, const std::string& text);

}  // namespace vitrail
