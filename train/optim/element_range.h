// What one of several processes updates of a parameter.
#pragma once

#include <cstdint>

namespace vitrail {

// Elements [begin, end).
struct ElementRange {
  int64_t begin = 0, end = 0;
  int64_t size() const { return end - begin; }
};

}  // namespace vitrail
