// Tells AddressSanitizer which parts of hand-managed memory are in use. In the builds of `make test-asan` it then finds
// accesses to freed blocks and past the end of live ones, as it does for malloc. Does nothing in other builds.
#pragma once

#include <cstdint>

#if defined(__SANITIZE_ADDRESS__)  // g++
#define VITRAIL_POISON
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)  // clang
#define VITRAIL_POISON
#endif
#endif

#ifdef VITRAIL_POISON
#include <sanitizer/asan_interface.h>
#endif

namespace vitrail {

#ifdef VITRAIL_POISON
constexpr int64_t kGuardBytes = 64;  // poisoned bytes after each block
inline void poison(const void* data, int64_t bytes) { __asan_poison_memory_region(data, bytes); }
inline void unpoison(const void* data, int64_t bytes) { __asan_unpoison_memory_region(data, bytes); }
#else
constexpr int64_t kGuardBytes = 0;
inline void poison(const void*, int64_t) {}
inline void unpoison(const void*, int64_t) {}
#endif

}  // namespace vitrail
