#include "base/number.h"

#include <charconv>
#include <cmath>

#include "base/error.h"
#include "base/file.h"

namespace vitrail {

int64_t parse_integer(const char* op, const std::string& name, const std::string& text, int64_t low, int64_t high) {
  int64_t value = 0;
  const char* end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, value);
  check(result.ec == std::errc() && result.ptr == end && value >= low && value <= high, ErrorKind::kValue, op, name,
        " must be a whole number in [", low, ", ", high, "]: it is ", escaped(text, 60), ".");
  return value;
}

double parse_number(const char* op, const std::string& name, const std::string& text) {
  double value = 0;
  const char* end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, value);
  check(result.ec == std::errc() && result.ptr == end && std::isfinite(value), ErrorKind::kValue, op, name,
        " must be a finite number: it is ", escaped(text, 60), ".");
  return value;
}

}  // namespace vitrail
