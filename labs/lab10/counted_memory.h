// The bytes that operator new gave out and that have not come back, and the most there have been.
#pragma once

#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <new>

namespace lab {

inline std::atomic<int64_t> live_bytes{0}, most_bytes{0};

inline void* taken(size_t bytes) {
  void* const data = std::malloc(std::max<size_t>(bytes, 1));
  if (!data) throw std::bad_alloc();
  const int64_t now = live_bytes += static_cast<int64_t>(malloc_usable_size(data));
  int64_t most = most_bytes;
  while (now > most && !most_bytes.compare_exchange_weak(most, now)) {
  }
  return data;
}
inline void given_back(void* data) noexcept {
  if (data) live_bytes -= static_cast<int64_t>(malloc_usable_size(data));
  std::free(data);
}

// The most bytes that `work` has at a time, above what was there before it.
template <class Work>
int64_t most_bytes_of(Work work) {
  const int64_t before = live_bytes;
  most_bytes = before;
  work();
  return most_bytes - before;
}

}  // namespace lab
