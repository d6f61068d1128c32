// glibc lets a program bring its own malloc: these count, and pass on to glibc's. operator new calls malloc.
#include "tests/memory/failing_allocations.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <limits>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define VITRAIL_FOREIGN_MALLOC
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define VITRAIL_FOREIGN_MALLOC
#endif
#endif
#if !defined(__GLIBC__)
#define VITRAIL_FOREIGN_MALLOC
#endif

namespace {

constexpr int64_t kNever = std::numeric_limits<int64_t>::max();
std::atomic<int64_t> count{0}, first{kNever}, last{kNever};

[[maybe_unused]] bool refused() {
  const int64_t number = count.fetch_add(1, std::memory_order_relaxed);
  const bool no = number >= first.load(std::memory_order_relaxed) && number <= last.load(std::memory_order_relaxed);
  if (no) errno = ENOMEM;
  return no;
}

}  // namespace

#ifndef VITRAIL_FOREIGN_MALLOC
extern "C" {
void* __libc_malloc(size_t size);
void* __libc_calloc(size_t count, size_t size);
void* __libc_realloc(void* data, size_t size);
void* __libc_memalign(size_t alignment, size_t size);

void* malloc(size_t size) { return refused() ? nullptr : __libc_malloc(size); }
void* calloc(size_t number, size_t size) { return refused() ? nullptr : __libc_calloc(number, size); }
void* realloc(void* data, size_t size) { return refused() ? nullptr : __libc_realloc(data, size); }
void* memalign(size_t alignment, size_t size) { return refused() ? nullptr : __libc_memalign(alignment, size); }
void* aligned_alloc(size_t alignment, size_t size) { return refused() ? nullptr : __libc_memalign(alignment, size); }
int posix_memalign(void** data, size_t alignment, size_t size) {
  if (refused()) return ENOMEM;
  *data = __libc_memalign(alignment, size);
  return *data ? 0 : ENOMEM;
}
void* mmap(void* place, size_t length, int protection, int flags, int file, off_t offset) {
  if (refused()) return MAP_FAILED;
  return reinterpret_cast<void*>(syscall(SYS_mmap, place, length, protection, flags, file, offset));
}
}
#endif

namespace vitrail::testing {

bool can_refuse_memory() {
#if defined(VITRAIL_FOREIGN_MALLOC) || defined(__clang__)  // clang's OpenMP runtime aborts when its own memory ends
  return false;
#else
  return true;
#endif
}

RefuseMemory::RefuseMemory(int64_t number, Refuse refuse) {
  count = 0;
  last = refuse == Refuse::kOne ? number : kNever;
  first = number;
}
RefuseMemory::~RefuseMemory() { first = last = kNever; }

int64_t counted_allocations() { return count; }

}  // namespace vitrail::testing
