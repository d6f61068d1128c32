// Memory that ends at a chosen moment: this program's malloc, operator new and mmap refuse on demand.
#pragma once

#include <cstdint>

namespace vitrail::testing {

// Whether this program can refuse memory: not under a sanitizer, which has a malloc of its own, nor with clang's OpenMP runtime,
// which ends the process by itself.
bool can_refuse_memory();

enum class Refuse { kOne, kEveryLater };

// While it lives, allocation number `first` (counted from 0, over all threads) is refused, or it and every later one.
class RefuseMemory {
 public:
  RefuseMemory(int64_t first, Refuse refuse);
  ~RefuseMemory();
  RefuseMemory(const RefuseMemory&) = delete;
  RefuseMemory& operator=(const RefuseMemory&) = delete;
};

// Allocations since the last RefuseMemory was made.
int64_t counted_allocations();

}  // namespace vitrail::testing
